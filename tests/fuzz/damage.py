"""Damages good files, by their structure and by their bytes, as a generator decides."""

import copy
import os
import pickle
import random
import socket
import struct
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

HUGE = 10**5000

HOSTILE = (
    *(None, True, 0, -1, 2**31, 2**63, 2**64, -(2**70), 10**400, 1e308, -1e308, 0.5, 101.0),
    *("", "x", "\0", "x" * 5000, "9" * 5000, "![x](http://example.org/a.png)", "../../etc/passwd"),
    *("none", "cifar10", "1e999", "nan", "\ud800"),
    *([], {}, [[]], [None], [0] * 1000, {"": 0}, {"request": {}}, {"kind": ["split"]}),
)
"""Values that take the place of good ones."""

NOT_JSON = (float("nan"), float("inf"), HUGE)


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def places(value: Any, found: list[tuple[Any, Any]], depth: int = 20) -> list[tuple[Any, Any]]:
    """Every (container, key) in plain values, as far as they are not nested too deeply."""
    if depth and len(found) < 20_000 and isinstance(value, dict | list):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            found.append((value, key))
            places(value[key], found, depth - 1)
    return found


def change_tree(tree: Any, chance: random.Random, hostile: tuple[Any, ...] = HOSTILE) -> Any:
    """Damage plain values at one to three places."""
    tree = copy.deepcopy(tree)
    for _ in range(chance.choice((1, 1, 2, 3))):
        spots = places(tree, [])
        if not spots:
            return chance.choice(hostile)
        box, key = chance.choice(spots)
        way = chance.randrange(9)
        with suppress(LookupError, TypeError, AttributeError, RecursionError):
            if way < 5:
                box[key] = copy.deepcopy(chance.choice(hostile))
            elif way == 5:
                del box[key]
            elif way == 6 and isinstance(box, list):
                box.extend(copy.deepcopy(box[:50]) * chance.choice((1, 20)))
            elif way == 6:
                box[chance.choice(("kind", "x", "", "data", "format"))] = box.pop(key)
            elif way == 7:
                box[key] = nested(chance.choice((10, 200, 900)))
            else:
                other, source = chance.choice(spots)
                box[key] = copy.deepcopy(other[source])
    return tree


def change_bytes(content: bytes, chance: random.Random) -> bytes:
    """Damage a file without regard to its structure."""
    size = max(1, len(content))
    start, end = sorted(chance.randrange(size) for _ in range(2))
    way = chance.randrange(8)
    if way == 0:
        return content[:start]
    if way == 1:
        return content[:start] + content[end:]
    if way == 2:
        return content[:end] + content[start:]
    if way == 3:
        return content[:start] + bytes(min(end - start, 4096)) + content[start + 4096 :]
    if way == 4:
        return chance.choice((b"", b"\0" * 5000, b"[" * 100_000, b'{"a":' * 50_000, b"PK\x03\x04"))
    if way == 5:
        return content[:start] + chance.randbytes(chance.randrange(1, 64)) + content[start:]
    damaged = bytearray(content)
    for _ in range(chance.choice((1, 3, 30))):
        if damaged:
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
    return bytes(damaged)


class Harmful:
    """Makes a folder when it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.mark),)


class Forged:
    """Is pickled as a call, with a state."""

    def __init__(self, function: Any, arguments: tuple[Any, ...], state: Any = None) -> None:
        self.made = (function, arguments) if state is None else (function, arguments, state)

    def __reduce__(self) -> Any:
        return self.made


def forged_arrays() -> list[Any]:
    """Arrays that are not what they say, as only a pickle can state them."""
    rebuild = np.array(0).__reduce__()[0]
    scalar = np.float64(1).__reduce__()[0]
    start = (np.ndarray, (0,), b"b")
    number = np.dtype("f8")
    objects = Forged(np.dtype, ("O8", False, True), (3, "|", None, None, None, -1, -1, 0))
    record = np.dtype([("a", "O"), ("b", "i4")])
    return [
        Forged(rebuild, start, (1, (4,), objects, False, b"\xff" * 32)),
        Forged(rebuild, start, (1, (2,), record, False, b"\xff" * 24)),
        Forged(rebuild, start, (1, (600_000, 3, 32, 32), np.dtype("u1"), False, b"")),
        Forged(rebuild, start, (1, (-1,), number, False, b"")),
        Forged(rebuild, start, (1, (2**40, 0), number, False, b"")),
        Forged(rebuild, start, (1, (3,), number, False, [1.0, 2.0, 3.0])),
        Forged(rebuild, (dict, (0,), b"b"), (1, (3,), number, False, b"")),
        Forged(scalar, (np.dtype("O"), b"\xff" * 8)),
        Forged(scalar, (number, b"\xff" * 800)),
        Forged(scalar, (record, b"\xff" * 12)),
        Forged(bytes, (2**40,)),
    ]


def hostile_pickles(good: Any, mark: Path, chance: random.Random) -> bytes:
    """A pickle that crashes, fills or occupies the process that reads it without care."""
    repeated: Any = [0] * 100
    for _ in range(8):
        repeated = [repeated] * 100
    way = chance.randrange(9)
    if way == 0:
        return b"\x80\x02]r\xff\xff\xff\x0f."
    if way == 1:
        return b"\x80\x02" + b"]" * chance.choice((1000, 200_000)) + b"a" * 5000 + b"."
    if way == 2:
        return b"\x80\x02" + b"(" * 200_000 + b"t" * 200_000 + b"."
    if way == 3:
        text = struct.pack("<I", 300_000) + b"\xc3\xa9" * 150_000
        return b"\x80\x02c_codecs\nencode\nX" + text + b"X\x08\0\0\0punycode\x86R."
    value: Any = Harmful(mark)
    if way == 4:
        value = repeated
    if way == 5:
        value = chance.choice(forged_arrays())
    if way == 6:
        value = chance.choice(
            (np.zeros((4, 4), "O"), np.zeros(3, "U9"), np.zeros(3, "c16"), np.zeros(3, "M8[s]"))
        )
    if way == 7:
        value = chance.choice(NOT_JSON)
    if isinstance(good, dict) and good and chance.random() < 0.8:
        value = {**good, chance.choice(list(good)): value}
    return pickle.dumps(value, chance.choice((2, 4)))


def replace_by_special(path: Path, chance: random.Random) -> None:
    """Put something else than a regular file in the place of one."""
    path.unlink()
    way = chance.randrange(6)
    if way == 0:
        os.mkfifo(path)
    elif way == 1:
        path.symlink_to("/dev/zero")
    elif way == 2:
        path.symlink_to(path.name)
    elif way == 3:
        path.mkdir()
    elif way == 4:
        path.symlink_to("/nowhere/at/all")
    else:
        with suppress(OSError), socket.socket(socket.AF_UNIX) as server:  # the path may be long
            server.bind(str(path))
