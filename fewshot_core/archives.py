"""Files that strangers made, read in a process of its own under limits of memory and time.

Pickles, archives, checkpoints and Parquet files of images can crash the process that reads them,
fill its memory or keep it busy. ``read_apart`` therefore starts ``python -m fewshot_core.archives``
with the name of one of ``READERS``, which returns plain values and arrays. That process imports
neither PyTorch nor pandas.
"""

import bz2
import json
import os
import pickle
import signal
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from fewshot_core import limits
from fewshot_core.documents import (
    DamageError,
    check_size,
    describe_damage,
    open_regular,
    read_limited,
    refusing,
    shown,
)
from fewshot_core.errors import FewshotError
from fewshot_core.safe_pickle import load_pickle, load_torch

_AGAIN = "get the file again from where it came from"
_ALONE = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "ARROW_IO_THREADS": "1",
    "MALLOC_ARENA_MAX": "1",
}
"""Environment of the process: threads reserve memory."""


def read_apart(
    reader: str, paths: Sequence[Path], error: type[FewshotError], largest: int, **options: Any
) -> Any:
    """Read files of at most ``largest`` bytes each by one of ``READERS`` in a process of its own.

    Options are values of JSON.

    Raises:
        FewshotError: Of type ``error``, if a file is missing, damaged, crashes the process, or
            takes more memory or time than files of its size may.
    """
    named = f"{paths[0]}" if len(paths) == 1 else f"{paths[0].parent}"
    with refusing(error, named, _AGAIN):
        size = sum(check_size(path, largest) for path in paths)
    request = {
        "reader": reader,
        "paths": [os.fspath(path) for path in paths],
        "options": options,
        "memory": limits.memory(size),
        "seconds": limits.seconds(size),
    }
    with tempfile.TemporaryFile() as output:
        ended = _run(json.dumps(request).encode(), output.fileno(), limits.seconds(size))
        if ended is not None:
            raise error(f"{named} cannot be read ({ended}); is it damaged? {_AGAIN}")
        output.seek(0)
        answer = load_pickle(output.read(), named, error=error)
    if not isinstance(answer, dict) or "result" not in answer:
        raise error(str(answer.get("error", answer)) if isinstance(answer, dict) else named)
    return answer["result"]


_BUSY = 5
"""The limit of time is one of processor time; on a busy machine that takes longer by this."""


def _run(request: bytes, output: int, seconds: float) -> str | None:
    """Run the process that reads; say why it has failed, or None."""
    command = [sys.executable, "-m", "fewshot_core.archives"]
    with subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=output,
        stderr=subprocess.DEVNULL,
        env=os.environ | _ALONE | {"PYTHONPATH": os.pathsep.join(sys.path)},
    ) as process:
        try:
            process.communicate(request, timeout=_BUSY * seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            return f"it took more than {_BUSY * seconds:.0f} s, which is the most for its size"
    if process.returncode == -signal.SIGXCPU:
        return f"it took more than {seconds:.0f} s, which is the most for its size"
    if process.returncode:
        return f"the process that reads it ended with status {process.returncode}"
    return None


class _ReadingError(FewshotError):
    """What is wrong with a file; the process that asked for it raises it as its own error."""


Pixels = npt.NDArray[np.uint8]
Labels = npt.NDArray[np.int64]


def _read_images(
    paths: Sequence[Path], names: Sequence[str], labels: str, size: int, archived: bool, limit: int
) -> list[list[Any]]:
    """Pixels (N, 3, size, size) and labels (N,) of pickles of images, in files or an archive."""
    if archived:
        contents = _members(paths[0], names, limit)
    else:
        contents = [_content(path, limit) for path in paths]
    found = []
    for name, content in zip(names, contents, strict=True):
        label = f"{paths[0] if archived else paths[0].parent}/{name}"
        found.append(list(_images(content, label, labels, size)))
    return found


def _content(path: Path, limit: int) -> bytes:
    with refusing(_ReadingError, str(path), _AGAIN):
        return read_limited(path, limit)


def _members(archive: Path, names: Sequence[str], limit: int) -> list[bytes]:
    """Contents of members of an archive; nothing is ever written to the disk."""
    with (
        refusing(_ReadingError, str(archive), _AGAIN),
        open_regular(archive) as file,
        tarfile.open(fileobj=file) as content,
    ):
        return [_member(content, archive, name, limit) for name in names]


def _member(content: tarfile.TarFile, archive: Path, name: str, limit: int) -> bytes:
    try:
        member = content.getmember(name)
    except KeyError:
        raise _ReadingError(
            f"{archive}: expected the file {name} in it, found none; is it another data set?"
        ) from None
    if not member.isfile():  # a link could lead anywhere
        raise _ReadingError(f"{archive}: {name} is not a file; {_AGAIN}")
    if member.size > limit:
        raise _ReadingError(
            f"{name} in the archive holds {member.size / 1e6:,.0f} MB, expected at most "
            f"{limit / 1e6:,.0f} MB; get the archive again"
        )
    file = content.extractfile(member)
    return file.read() if file is not None else b""


def _images(data: bytes, name: str, labels_key: str, size: int) -> tuple[Pixels, Labels]:
    content: Any = load_pickle(data, name, "latin1", _ReadingError)
    if not isinstance(content, Mapping):
        raise _ReadingError(f"{name}: expected a dictionary, got a {type(content).__name__}")
    # Python 2 wrote the keys as texts; copies made with Python 3 may have bytes.
    content = {
        key.decode("latin1") if isinstance(key, bytes) else str(key): value
        for key, value in content.items()
    }
    if not {"data", labels_key} <= content.keys():
        raise _ReadingError(
            f"{name}: expected the keys 'data' and {labels_key!r}, got {shown(sorted(content))}; "
            "is it another data set?"
        )
    labels = np.asarray(content[labels_key])
    if labels.ndim != 1 or (labels.dtype.kind not in "iu" and labels.size):
        raise _ReadingError(f"{name}: expected a list of whole numbers under {labels_key!r}")
    pixels = content["data"]
    row = 3 * size * size
    shapes = ((len(labels), row), (len(labels), 3, size, size))
    if not isinstance(pixels, np.ndarray) or pixels.dtype != np.uint8 or pixels.shape not in shapes:
        found = f"{pixels.dtype} {pixels.shape}" if isinstance(pixels, np.ndarray) else "no array"
        raise _ReadingError(
            f"{name}: expected one row of {row} bytes for each of {len(labels)} labels, got {found}"
        )
    return pixels.reshape(len(labels), 3, size, size), labels.astype(np.int64)


def _read_parquet(paths: Sequence[Path], image: str, label: str, limit: int) -> dict[str, Any]:
    """Labels (N,) of Parquet files, and the encoded images: bytes, and where each ends."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    labels, images = [], []
    for path in paths:
        with refusing(_ReadingError, str(path), "get it again"), open_regular(path) as file:
            try:
                opened = pq.ParquetFile(file, pre_buffer=False)
                names, shape = opened.schema_arrow.names, opened.metadata
                size = sum(shape.row_group(n).total_byte_size for n in range(shape.num_row_groups))
                if size > limit:
                    raise DamageError(
                        f"it holds {size / 1e6:,.0f} MB, expected at most {limit / 1e6:,.0f} MB"
                    )
                columns = [_column(path, names, of.split()) for of in (image, label)]
                types = [opened.schema_arrow.field(column).type for column in columns]
                _check_types(path, *types)
                table = opened.read(columns, use_threads=False)
            except pa.ArrowException as error:
                raise DamageError("it is no whole Parquet file") from error
        if table.column(columns[1]).null_count:
            raise _ReadingError(f"{path}: expected a label for every image, some are missing")
        labels += table.column(columns[1]).to_pylist()
        images += [
            (item or {}).get("bytes") or b"" for item in table.column(columns[0]).to_pylist()
        ]
    ends = np.cumsum([len(item) for item in images], dtype=np.int64)
    content = np.frombuffer(b"".join(images), np.uint8)
    return {"labels": np.array(labels, dtype=np.int64), "ends": ends, "content": content}


def _check_types(path: Path, image: Any, label: Any) -> None:
    import pyarrow as pa

    encoded = pa.types.is_struct(image) and image.get_field_index("bytes") >= 0
    binary = encoded and (
        pa.types.is_binary(kind := image.field("bytes").type) or pa.types.is_large_binary(kind)
    )
    if not binary or not pa.types.is_integer(label):
        raise _ReadingError(
            f"{path}: expected encoded images (a struct with 'bytes') and whole numbers as "
            f"labels, got {image!s:.100} and {label!s:.100}"
        )


def _column(path: Path, names: Sequence[str], wanted: Sequence[str]) -> str:
    for name in wanted:
        if names.count(name) == 1:
            return name
    raise _ReadingError(
        f"{path}: expected a column {' or '.join(wanted)}, got {', '.join(names):.200}"
    )


def _read_checkpoint(paths: Sequence[Path], limit: int) -> dict[str, Any]:
    """The tensors of a state dictionary by name, and how far they were trained."""
    [path] = paths
    try:
        with open_regular(path) as file:
            content = load_torch(file, str(path), limit, _ReadingError)
    except (FewshotError, OSError) as error:
        raise _ReadingError(
            f"{path}: expected a file of tensors written by torch.save, got one that cannot be "
            f"read ({error})"
        ) from error
    state = content.get("supernet", content) if isinstance(content, Mapping) else content
    if (
        not isinstance(state, Mapping)
        or not state
        or not all(isinstance(tensor, np.ndarray) for tensor in state.values())
    ):
        raise _ReadingError(f"{path}: expected a state dictionary of tensors, got something else")
    return {"state": {str(n): t for n, t in state.items()}, "history": _history(content)}


def _history(content: Any) -> str:
    """How far the weights were trained; empty where the file does not say."""
    try:
        last = content["rest"]["records"][-1]
        epochs, accuracy = int(last["epoch"]), last["valid_accuracy"]
        found = "" if accuracy is None else f", validation accuracy {float(accuracy):.1f}%"
    except (LookupError, TypeError, ValueError, OverflowError):
        return ""
    return f"trained for {epochs} epoch{'s' * (epochs != 1)}{found}"


# CIFAR-10 was trained on twice. Its validation accuracies and its costs are of the networks that
# saw half of the training images, its test accuracies of those that saw all.
_SETS = (
    # data set, kind, what the network was trained on, what it was evaluated on
    ("cifar10", "validation", "cifar10-valid", "x-valid"),
    ("cifar10", "test", "cifar10", "ori-test"),
    ("cifar100", "validation", "cifar100", "x-valid"),
    ("cifar100", "test", "cifar100", "x-test"),
    ("ImageNet16-120", "validation", "ImageNet16-120", "x-valid"),
    ("ImageNet16-120", "test", "ImageNet16-120", "x-test"),
)

EPOCHS, SHORT = 200, 12
"""Epochs of a full and of a short training."""

Results = dict[str, list[list[Any]]]
"""Rows of accuracies, costs and early accuracies, with architectures as strings; see ``bench``."""


def _read_nats(
    paths: Sequence[Path], names: Mapping[str, str], epochs: Sequence[int], limit: int
) -> Results:
    """Results in files of NATS-Bench, like ``000011.pickle.pbz2``; ``names`` are those known."""
    rows: Results = {"accuracy": [], "costs": [], "early": []}
    for path in paths:
        record = _nats(path, limit)
        name = names.get(str(int(path.name.split(".")[0])))
        _collect(rows, path.name, name, record, (str(EPOCHS), str(SHORT)), epochs)
    return rows


def _read_nats_names(paths: Sequence[Path], limit: int) -> list[str]:
    """The architecture string of every number, from the meta file of NATS-Bench."""
    meta = _nats(paths[0], limit)
    names = meta.get("meta_archs") if isinstance(meta, Mapping) else None
    if not isinstance(names, list):
        raise _ReadingError(
            f"{paths[0].name}: expected a list of architectures under 'meta_archs'; {_AGAIN}"
        )
    return [str(name) for name in names]


def _nats(path: Path, limit: int) -> Any:
    try:
        data = read_limited(path, limit, cast(Callable[..., Any], bz2.open))
    except (OSError, EOFError, ValueError) as error:
        reason = describe_damage(error)
        raise _ReadingError(f"{path.name} cannot be decompressed ({reason}); {_AGAIN}") from error
    return load_pickle(data, path.name, error=_ReadingError)


def _read_nas_bench_201(paths: Sequence[Path], epochs: Sequence[int], limit: int) -> Results:
    [path] = paths
    with refusing(_ReadingError, path.name, _AGAIN), open_regular(path) as file:
        content = load_torch(file, path.name, limit, _ReadingError)
    try:
        names, records = dict(enumerate(content["meta_archs"])), dict(content["arch2infos"])
        numbers = sorted(records)
    except (LookupError, TypeError, ValueError) as error:
        raise _ReadingError(
            f"{path.name}: expected a dictionary with 'meta_archs' and 'arch2infos', got a "
            f"{type(content).__name__}; {_AGAIN}"
        ) from error
    unknown = [number for number in numbers if number not in names]
    if unknown:
        raise _ReadingError(
            f"{path.name}: expected architectures from 0 to {len(names) - 1}, got "
            f"{shown(unknown[0])}"
        )
    rows: Results = {"accuracy": [], "costs": [], "early": []}
    for number in numbers:
        place = f"{path.name}, architecture {number}"
        _collect(rows, place, str(names[number]), records[number], ("full", "less"), epochs)
    return rows


def _collect(
    rows: Results,
    place: str,
    name: str | None,
    record: Any,
    keys: tuple[str, str],
    epochs: Sequence[int],
) -> None:
    """Add the accuracies and costs of an architecture after ``EPOCHS`` epochs, and at some epochs.

    ``name`` is its string in the archive's list, or None without a list; the keys are those of the
    training and of a short one, which the record may have.
    """
    key, short = keys
    try:
        result = record[key]
        architecture = str(result["arch_str"])
        if name not in (None, architecture):
            raise _ReadingError(
                f"{place}: expected results of {name}, got results of {shown(architecture)}; "
                f"{_AGAIN}"
            )
        trials = _trials(result)
        found = {trial["epochs"] for of_set in trials.values() for trial in of_set.values()}
        if found != {EPOCHS}:
            raise DamageError(f"results after {shown(found)} epochs")
        for dataset, kind, training, evaluation in _SETS:
            for seed, trial in trials.get(training, {}).items():
                accuracy = float(trial["eval_acc1es"][f"{evaluation}@{EPOCHS - 1}"])
                rows["accuracy"].append([dataset, kind, architecture, seed, accuracy, place])
            if kind == "validation" and training in trials:
                costs = _costs(trials[training])
                rows["costs"].append([dataset, architecture, *costs])
        rows["early"] += _at_epochs(trials, architecture, EPOCHS, epochs)
        if short in record:
            rows["early"] += _at_epochs(_trials(record[short]), architecture, SHORT, [SHORT])
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise _ReadingError(
            f"{place}: expected the results of one architecture after {EPOCHS} epochs under the "
            f"key {key!r}, got something else ({describe_damage(error)}); {_AGAIN}"
        ) from error


def _trials(result: Any) -> dict[str, dict[int, Any]]:
    """The trainings of an architecture by what they were trained on, and by seed."""
    return {
        training: {int(seed): result["all_results"][training, seed] for seed in seeds}
        for training, seeds in result["dataset_seed"].items()
    }


def _at_epochs(
    trials: Mapping[str, Mapping[int, Any]], architecture: str, total: int, epochs: Sequence[int]
) -> Iterator[list[Any]]:
    """Accuracies at some epochs, means over seeds: data set, images, total, architecture, values.

    The values are an array, NaN where there is none. On CIFAR-100 and ImageNet16-120 a training
    of 200 epochs has the accuracy on validation and test images together before the last epoch,
    and no other.
    """
    for dataset, kind, training, evaluation in _SETS:
        if kind != "validation" or training not in trials:
            continue
        of_seeds = [trial["eval_acc1es"] for trial in trials[training].values()]
        missing = np.ones(len(epochs), dtype=np.bool_)
        for name, what in ((evaluation, "valid"), ("ori-test", "valid_and_test")):
            keys = [f"{name}@{epoch - 1}" for epoch in epochs]
            found = [[one.get(key, np.nan) for key in keys] for one in of_seeds]
            values = np.where(missing, np.mean(np.array(found, dtype=np.float64), axis=0), np.nan)
            if not np.isnan(values).all():
                yield [dataset, what, total, architecture, values]
            missing &= np.isnan(values)


def _costs(trials: Mapping[int, Any]) -> Iterator[float]:
    """Number of parameters, latency and training time in seconds, means over seeds.

    Files hold parameters in millions. Where trials of an architecture disagree, that of seed 888 is
    right: so NATS-Bench's own API.
    """
    millions = {seed: float(trial["params"]) for seed, trial in trials.items()}
    agree = len({f"{value:.5f}" for value in millions.values()}) == 1
    yield float(round((np.mean(list(millions.values())) if agree else millions[888]) * 1e6))
    latencies = [np.mean(trial["latency"]) for trial in trials.values() if trial["latency"]]
    positive = [latency for latency in latencies if latency > 0]
    yield float(np.mean(positive)) if positive else float("nan")
    times = [trial["train_times"] for trial in trials.values()]
    known = all(isinstance(of_epochs, dict) for of_epochs in times)
    total = np.mean([sum(t.values()) for t in times]) if known else np.nan
    yield float(total)


READERS: Mapping[str, Callable[..., Any]] = {
    "images": _read_images,
    "parquet": _read_parquet,
    "checkpoint": _read_checkpoint,
    "nats": _read_nats,
    "nats-names": _read_nats_names,
    "nas-bench-201": _read_nas_bench_201,
}
"""The readers by name: paths and options in, plain values and arrays out."""


def main() -> None:
    """Read what a request on standard input names, and write it as a pickle of plain values."""
    request = json.load(sys.stdin)
    if request["reader"] == "parquet":  # what a library takes itself does not count
        import pyarrow.parquet  # noqa: F401
    _limit(request["memory"], request["seconds"])
    paths = [Path(path) for path in request["paths"]]
    try:
        answer = {"result": READERS[request["reader"]](paths, **request["options"])}
        written = pickle.dumps(answer, 5)
    except MemoryError:
        most = f"{request['memory'] / 1e6:,.0f} MB"
        written = _failure(
            f"{paths[0]} cannot be read (it needs more than {most} of memory, which is the most "
            f"for its size); is it damaged? {_AGAIN}"
        )
    except FewshotError as error:
        written = _failure(str(error))
    except Exception as error:  # whatever a damaged file makes a library raise
        written = _failure(f"{paths[0]} cannot be read ({describe_damage(error)}); {_AGAIN}")
    sys.stdout.buffer.write(written)


def _failure(message: str) -> bytes:
    return pickle.dumps({"error": message})


def _limit(memory: int, seconds: float) -> None:
    """Limit this process; where the system cannot, only the time is limited, by the caller."""
    if sys.platform == "win32":
        return
    import resource

    if sys.platform == "linux":
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + memory, used + memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (int(seconds) + 1, int(seconds) + 2))


if __name__ == "__main__":
    main()
