"""Pickles, which run code when they are loaded: what they would import is read from their opcodes, nothing is loaded."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import pickletools
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from modelyard.records.weakness import Weakness
from modelyard.scanning.files import Files

_SUFFIXES = (
    "*.pkl",
    "*.pickle",
    "*.joblib",
    "*.pt",
    "*.pth",
    "*.ckpt",
    "*.bin",
    "*.dill",
    "*.cloudpickle",
    "*.npy",
)
_PROTOCOLS = {bytes([0x80, version]) for version in range(2, 6)}
LARGEST = 512 << 20
"""Bytes of a file, and of what is packed in it."""
_PACKED: dict[bytes, Callable[..., Any]] = {
    b"\x1f\x8b": gzip.open,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
    b"]\x00\x00": lzma.open,
}
"""By their first bytes."""
_DAMAGED = (OSError, EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, RuntimeError)
"""Of what unpacks: a damaged file, an encrypted one, a way of packing that is not known."""
_RUNS = frozenset(
    [
        "os",
        "posix",
        "nt",
        "subprocess",
        "sys",
        "runpy",
        "socket",
        "shutil",
        "importlib",
        "pty",
        "webbrowser",
        "commands",
        "ctypes",
        "multiprocessing",
        "pickle",
        "_pickle",
        "dill",
        "cloudpickle",
        "code",
        "codeop",
        "bdb",
        "pdb",
        "pip",
        "asyncio",
        "signal",
        "platform",
        "timeit",
        "types",
    ]
)
_BUILTINS = frozenset(
    [
        "eval",
        "exec",
        "compile",
        "__import__",
        "getattr",
        "setattr",
        "open",
        "input",
        "breakpoint",
        "globals",
        "vars",
    ]
)
_HELP = "https://docs.python.org/3/library/pickle.html"


def pickles(files: Files) -> Iterator[Weakness]:
    """Every pickle is a warning; one that would import what runs other code is an error."""
    suspected = {path for path, _ in files.of(*_SUFFIXES)}
    for path in files.paths:
        file = files.root / path
        if path not in suspected and not _begins_as_one(file):
            continue
        try:
            if file.stat().st_size > LARGEST:
                raise _TooLarge
            streams = list(_streams(file))
        except _TooLarge:
            said = f"it has more than {LARGEST >> 20} MB, so it was not looked at"
            yield _weakness(path, "pickle-unread", said)
            continue
        except _DAMAGED as error:
            yield _weakness(
                path, "pickle-unread", f"it cannot be unpacked ({error}), so it was not looked at"
            )
            continue
        if not streams:
            continue
        imports = sorted({name for stream in streams for name in _imports(stream)})
        bad = [name for name in imports if _dangerous(name)]
        if bad:
            yield _weakness(
                path, "pickle-runs", f"loading it imports {', '.join(bad)}, which runs other code"
            )
        else:
            said = f"loading it imports {', '.join(imports[:6])}" if imports else "it imports nothing"
            yield _weakness(path, "pickle", f"a pickle runs what whoever wrote it likes; {said}")


class _TooLarge(Exception):
    pass


def _begins_as_one(file: Path) -> bool:
    with file.open("rb") as content:
        return content.read(2) in _PROTOCOLS


def _streams(file: Path) -> Iterator[bytes]:
    """The pickles in a file: bare, compressed, of an archive of PyTorch's, or behind an array's header."""
    content = file.read_bytes()
    if zipfile.is_zipfile(io.BytesIO(content)):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for name in archive.namelist():
                if name.endswith((".pkl", ".pickle")):
                    with archive.open(name) as inner:
                        yield _whole(inner)
        return
    if content[:6] == b"\x93NUMPY":
        at = content.find(b"\x80", 10)
        if b"'|O'" in content[:256] and at > 0:
            yield content[at:]
        return
    for begin, opened in _PACKED.items():
        if content.startswith(begin):
            content = _whole(opened(io.BytesIO(content)))
            break
    else:
        if content[:1] == b"x":
            try:
                content = zlib.decompressobj().decompress(content, LARGEST)
            except zlib.error:
                return
    if content[:2] in _PROTOCOLS or (content[-1:] == b"." and file.suffix in (".pkl", ".pickle")):
        yield content


def _whole(packed: IO[bytes]) -> bytes:
    """What is packed; a small file may hold any amount."""
    content = packed.read(LARGEST + 1)
    if len(content) > LARGEST:
        raise _TooLarge
    return content


def _imports(stream: bytes) -> Iterator[str]:
    """``module.name`` of every global; names that are put together from the stack as far as they are plain texts."""
    texts: list[str] = []
    memo: dict[int, str] = {}
    top = ""
    try:
        for opcode, argument, _ in pickletools.genops(stream):
            if opcode.name in ("GLOBAL", "INST"):
                yield str(argument).replace(" ", ".")
            elif opcode.name == "STACK_GLOBAL":
                yield ".".join(texts[-2:]) if len(texts) > 1 else "?"
            elif opcode.name == "MEMOIZE":
                memo[len(memo)] = top
            elif opcode.name in ("PUT", "BINPUT", "LONG_BINPUT") and isinstance(argument, int):
                memo[argument] = top
            elif opcode.name in ("GET", "BINGET", "LONG_BINGET") and isinstance(argument, int):
                texts.append(memo.get(argument, "?"))
            if "UNICODE" in opcode.name or "STRING" in opcode.name:
                texts.append(str(argument))
                top = str(argument)
            elif opcode.name not in ("MEMOIZE", "PUT", "BINPUT", "LONG_BINPUT"):
                top = "?"
    except Exception:
        yield "?"  # what cannot be followed to its end may do anything


def _dangerous(name: str) -> bool:
    module, _, last = name.rpartition(".")
    if module in ("builtins", "__builtin__", "operator", "functools"):
        return last in _BUILTINS or last in ("attrgetter", "methodcaller", "partial", "reduce")
    return module.partition(".")[0] in _RUNS or name == "?"


def _weakness(path: str, rule: str, said: str) -> Weakness:
    return Weakness(
        check="pickles",
        rule=rule,
        level="error" if rule == "pickle-runs" else "warning",
        path=path,
        message=f"{said[0].upper()}{said[1:]}: keep models as ONNX or in a package, arrays as Parquet.",
        help=_HELP,
    )
