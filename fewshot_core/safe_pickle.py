"""Reading pickles without running what is in them, and PyTorch's files without PyTorch.

A pickle may name any function and call it while it is read. This reader allows only the names of
plain values, NumPy numbers and arrays, and PyTorch's tensors, and refuses a file that names another
before anything is called. Arrays are built here, from a simple type, a shape and as many bytes as
these need: NumPy itself trusts what a pickle says of them.
"""

import io
import math
import pickle
import re
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import IO, Any, cast

import numpy as np
import numpy.typing as npt

from fewshot_core.documents import DamageError, describe_damage
from fewshot_core.errors import FewshotError, TableError

_TYPE = re.compile(r"[<>=|]?(b1|[iu][1248]|f[248])")
_DIMENSIONS = 8


class _DataType:
    """The type of an array or a number, as a pickle states it."""

    def __init__(self, name: str, align: object = False, copy: object = True) -> None:
        self.type = _simple_type(name)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        order, fields = state[1], state[2:5]
        if any(part is not None for part in fields):
            raise DamageError("expected numbers, got records")
        self.type = _simple_type(f"{order}{self.type.str[1:]}")


def _simple_type(name: object) -> np.dtype[Any]:
    text = name if isinstance(name, str) else ""
    if not _TYPE.fullmatch(text):
        raise DamageError("expected an array of numbers, got one of another type")
    return np.dtype(text)


class _Array:
    """An array whose content follows; ``plain`` replaces it by the array."""

    value: npt.NDArray[Any]

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        _, shape, kind, fortran, content = state
        self.value = _build(_bytes(content), kind, shape, "F" if fortran else "C")


def _build(content: Any, kind: Any, shape: Any, order: str = "C") -> npt.NDArray[Any]:
    if not isinstance(kind, _DataType) or order not in ("C", "F"):
        raise DamageError("expected an array of numbers")
    if len(shape) > _DIMENSIONS or not all(type(n) is int and n >= 0 for n in shape):
        raise DamageError("expected an array of a few dimensions")
    if len(content) != math.prod(shape) * kind.type.itemsize:
        raise DamageError(f"expected {math.prod(shape)} numbers, got {len(content)} bytes")
    flat = np.frombuffer(content, kind.type)
    return flat.reshape(shape, order=cast(Any, order))


def _bytes(content: Any) -> bytes:
    """Content of an array; Python 2 wrote it as text."""
    return content.encode("latin-1") if isinstance(content, str) else bytes(memoryview(content))


def _start_array(kind: object, shape: object, code: object) -> _Array:
    if kind != "ndarray":
        raise DamageError("expected a plain array")
    return _Array()


def _from_buffer(content: Any, kind: Any, shape: Any, order: str = "C") -> _Array:
    array = _Array()
    array.value = _build(content, kind, shape, order)
    return array


def _scalar(kind: Any, content: Any) -> Any:
    return _build(_bytes(content), kind, ()).item()


def _encode(text: str, encoding: str) -> bytes:
    """What Python 3 calls to restore bytes from a pickle of protocol 2."""
    if encoding not in ("latin1", "latin-1"):
        raise DamageError("expected bytes in latin-1")
    return str.encode(text, "latin-1")


_ALLOWED: Mapping[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("_codecs", "encode"): _encode,
    ("__builtin__", "set"): set,
    ("builtins", "set"): set,
    ("__builtin__", "bytes"): lambda: b"",
    ("numpy", "ndarray"): "ndarray",
    ("numpy", "dtype"): _DataType,
    **{
        (f"numpy.{core}.{module}", name): function
        for core in ("core", "_core")  # NumPy 1 and 2
        for module, name, function in (
            ("multiarray", "_reconstruct", _start_array),
            ("multiarray", "scalar", _scalar),
            ("numeric", "_frombuffer", _from_buffer),
        )
    },
}
"""What a pickle may name, and what takes its place."""


def load_pickle(
    data: bytes, label: str, encoding: str = "ASCII", error: type[FewshotError] = TableError
) -> Any:
    """Load plain values and arrays; ``encoding`` is that of strings that Python 2 wrote.

    Raises:
        FewshotError: Of type ``error``, if the pickle names anything that is not allowed, which the
            message states, or is damaged.
    """
    return _load(_Unpickler(io.BytesIO(data), label, encoding, error))


class _Unpickler(pickle.Unpickler):
    def __init__(
        self, file: IO[bytes], label: str, encoding: str, error: type[FewshotError]
    ) -> None:
        super().__init__(file, encoding=encoding)
        self.label = label
        self.error = error
        self.named = False

    def find_class(self, module: str, name: str) -> Any:
        self.named = True
        if (module, name) not in _ALLOWED:
            raise self.error(
                f"{self.label} asks for {module:.100}.{name:.100}, which could run code; expected "
                "plain values, numbers and arrays. Nothing of it was run; get the file from a "
                "source you trust"
            )
        return _ALLOWED[module, name]


def _load(unpickler: _Unpickler) -> Any:
    try:
        value = unpickler.load()
        return plain(value) if unpickler.named else value  # no array without a name
    except FewshotError:
        raise
    except Exception as damage:  # whatever a damaged file makes a library raise
        raise unpickler.error(
            f"{unpickler.label} is not a whole pickle ({describe_damage(damage)}); get the file "
            "again from where it came from"
        ) from damage


def plain(value: Any) -> Any:
    """Replace what stands for arrays by these, in nested lists, tuples and dictionaries."""
    found: dict[int, Any] = {}

    def replaced(part: Any) -> Any:
        return part.value if isinstance(part, _Array) else part

    waiting = [value]
    while waiting:
        part = waiting.pop()
        if id(part) in found:
            continue
        found[id(part)] = part
        if isinstance(part, dict):
            for key, item in part.items():
                part[key] = replaced(item)
            waiting.extend(item for item in part.values() if isinstance(item, dict | list | tuple))
        elif isinstance(part, list):
            part[:] = map(replaced, part)
            waiting.extend(item for item in part if isinstance(item, dict | list | tuple))
        elif isinstance(part, tuple) and any(isinstance(item, _Array) for item in part):
            raise DamageError("expected arrays in dictionaries and lists")
    return replaced(value)


@dataclass(frozen=True)
class _Storage:
    """The type of a storage of PyTorch; ``short`` where these are the upper halves of float32."""

    type: str
    short: bool = False


class OtherTensor:
    """Stands for a tensor that is not a plain one of real numbers, and other parts of PyTorch."""

    def __init__(self, *_args: object, **_settings: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        pass


_STORAGES = {
    "DoubleStorage": _Storage("<f8"),
    "FloatStorage": _Storage("<f4"),
    "HalfStorage": _Storage("<f2"),
    "BFloat16Storage": _Storage("<u2", short=True),
    "LongStorage": _Storage("<i8"),
    "IntStorage": _Storage("<i4"),
    "ShortStorage": _Storage("<i2"),
    "CharStorage": _Storage("<i1"),
    "ByteStorage": _Storage("<u1"),
    "BoolStorage": _Storage("<b1"),
}


def _rebuild_tensor(
    flat: Any, offset: int, size: tuple[int, ...], stride: tuple[int, ...], *_rest: object
) -> Any:
    """Copy a tensor out of its storage, an array of one dimension; None before that is read."""
    if flat is None:
        return None
    if not isinstance(flat, np.ndarray):
        return OtherTensor()
    numbers = (offset, *size, *stride)
    if len(size) != len(stride) or len(size) > _DIMENSIONS:
        raise DamageError("expected a tensor of a few dimensions")
    if not all(type(number) is int and number >= 0 for number in numbers):
        raise DamageError("expected a tensor of a size")
    last = offset + sum((n - 1) * step for n, step in zip(size, stride, strict=True))
    count = math.prod(size)
    if count and (last >= len(flat) or count > len(flat)):
        raise DamageError(f"expected a tensor of {count} numbers, got {len(flat)}")
    array = _Array()
    steps = [step * flat.itemsize for step in stride]
    view = np.lib.stride_tricks.as_strided(flat[offset:], size, steps) if count else np.empty(size)
    array.value = view.astype(flat.dtype)
    return array


class _TorchUnpickler(_Unpickler):
    """Reads tensors, too; ``storage`` returns the content of a storage of a type and size."""

    def __init__(
        self,
        file: IO[bytes],
        label: str,
        error: type[FewshotError],
        storage: Callable[[str, _Storage, int], npt.NDArray[Any] | None],
    ) -> None:
        super().__init__(file, label, "utf-8", error)
        self._storage = storage

    def find_class(self, module: str, name: str) -> Any:
        self.named = True
        if module == "torch" and name in _STORAGES:
            return _STORAGES[name]
        if module == "torch._utils" and name == "_rebuild_tensor_v2":
            return _rebuild_tensor
        if module == "torch._utils" and name == "_rebuild_parameter":
            return lambda tensor, *_rest: tensor
        if module.split(".")[0] == "torch":
            return OtherTensor
        return super().find_class(module, name)

    def persistent_load(self, pid: Any) -> Any:
        _, kind, key, _, count, *_ = pid
        if not isinstance(kind, _Storage):
            return OtherTensor()
        return self._storage(str(key), kind, int(count))


def load_torch(file: IO[bytes], label: str, limit: int, error: type[FewshotError]) -> Any:
    """Load what ``torch.save`` wrote, in its present or its first format, without PyTorch.

    Tensors become arrays; quantised, sparse, nested, complex ones and those without numbers become
    an ``OtherTensor``. Raises as ``load_pickle``.
    """
    packed = file.read(4) == b"PK\x03\x04"
    file.seek(0)
    try:
        return _load_zip(file, label, limit, error) if packed else _load_first(file, label, error)
    except FewshotError:
        raise
    except Exception as damage:  # whatever a damaged file makes a library raise
        raise error(
            f"{label} is damaged ({describe_damage(damage)}); expected a file of tensors written "
            "by torch.save; get it again from where it came from"
        ) from damage


def _load_zip(file: IO[bytes], label: str, limit: int, error: type[FewshotError]) -> Any:
    with zipfile.ZipFile(file) as archive:
        if sum(member.file_size for member in archive.infolist()) > limit:
            raise DamageError(f"it unpacks to more than {limit / 1e6:,.0f} MB")
        [root] = [name[:-8] for name in archive.namelist() if name.endswith("data.pkl")]
        order = f"{root}byteorder"
        if order in archive.namelist() and archive.read(order) != b"little":
            raise DamageError("expected numbers in little-endian order")

        def storage(key: str, kind: _Storage, count: int) -> npt.NDArray[Any]:
            return _numbers(archive.read(f"{root}data/{key}"), kind, count)

        content = io.BytesIO(archive.read(f"{root}data.pkl"))
        return _load(_TorchUnpickler(content, label, error, storage))


_MAGIC = 0x1950A86A20F9469CFC6C
"""The number that a file of the first format begins with."""


def _load_first(file: IO[bytes], label: str, error: type[FewshotError]) -> Any:
    """Load a file of the first format: the storages follow the pickle that refers to them."""
    kinds: dict[str, tuple[_Storage, int]] = {}

    def load(storage: Callable[[str, _Storage, int], npt.NDArray[Any] | None]) -> Any:
        return _load(_TorchUnpickler(file, label, error, storage))

    def note(key: str, kind: _Storage, count: int) -> None:
        kinds[key] = kind, count

    if load(note) != _MAGIC:
        raise DamageError("it does not begin as one")
    load(note), load(note)  # the version and the properties of the machine
    start = file.tell()
    content = load(note)
    if not kinds:
        return content
    found: dict[str, npt.NDArray[Any]] = {}
    for key in load(note):
        kind, count = kinds[key]
        written = int.from_bytes(file.read(8), "little")
        if written != count:
            raise DamageError(f"expected {count} numbers, got {written}")
        found[key] = _numbers(file.read(count * np.dtype(kind.type).itemsize), kind, count)
    file.seek(start)
    return load(lambda key, kind, count: found[key])


def _numbers(content: bytes, kind: _Storage, count: int) -> npt.NDArray[Any]:
    numbers = np.frombuffer(content, kind.type)
    if len(numbers) != count:
        raise DamageError(f"expected {count} numbers, got {len(numbers)}")
    return (numbers.astype("<u4") << 16).view("<f4") if kind.short else numbers
