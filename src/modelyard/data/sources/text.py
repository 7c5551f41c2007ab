"""Text files in any compression, encoding and separator, as UTF-8 with commas."""

from __future__ import annotations

import codecs
import gzip
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

from modelyard.data.sources.staged import Place, Staged
from modelyard.errors import DataRefused
from modelyard.settings import SourceSettings

_BLOCK = 2**22
_UTF8 = ("utf-8", "utf-8-sig", "ascii")


def stage(
    path: Path, origin: str, source: SourceSettings, place: Place, *, compression: str, tab: bool
) -> Staged:
    """A CSV or TSV; one that is UTF-8 with commas already is named in place.

    Raises ``DataRefused`` naming the line of a character that is not of the encoding, and for a
    compressed file that is damaged or cut off.
    """
    separator = source.separator or ("\t" if tab else ",")
    if (separator, compression, source.quotes) == (",", "", True) and _is_utf8(source.encoding):
        return Staged(path=path, form="csv", origin=origin)
    target = place.new(path.name.partition(".")[0] + ".csv")
    pieces = recoded(blocks(path, origin, compression), origin, source.encoding)
    if separator != "," or not source.quotes:
        pieces = _with_commas(pieces, separator.encode(), quotes=source.quotes)
    with target.open("wb") as out:
        for piece in pieces:
            out.write(piece)
    return Staged(path=target, form="csv", origin=origin)


def blocks(path: Path, origin: str, compression: str) -> Iterator[bytes]:
    """The file's content, decompressed, in pieces of some megabytes."""
    try:
        with _opened(path, compression) as stream:
            while piece := stream.read(_BLOCK):
                yield piece
    except (EOFError, zlib.error, gzip.BadGzipFile, pa.ArrowInvalid) as error:
        raise _damaged(origin, compression, error) from None
    except OSError as error:
        if error.errno is None:  # Arrow's way to say that a frame is damaged
            raise _damaged(origin, compression, error) from None
        raise


def recoded(pieces: Iterator[bytes], origin: str, encoding: str) -> Iterator[bytes]:
    """The text in UTF-8."""
    if _is_utf8(encoding):
        yield from pieces
        return
    decoder = codecs.getincrementaldecoder(encoding)()
    lines = 1
    try:
        for piece in pieces:
            text = decoder.decode(piece)
            lines += text.count("\n")
            yield text.encode()
        yield decoder.decode(b"", final=True).encode()
    except UnicodeError:
        raise DataRefused(
            f"{origin}, near line {lines}: not {encoding}; set 'encoding' to the file's own."
        ) from None


def _is_utf8(encoding: str) -> bool:
    return codecs.lookup(encoding).name in _UTF8


def _opened(path: Path, compression: str) -> IO[bytes] | Any:
    if compression == "gz":
        return gzip.open(path, "rb")
    if compression == "zst":
        return pa.CompressedInputStream(pa.OSFile(str(path)), "zstd")
    return path.open("rb")


def _damaged(origin: str, compression: str, error: Exception) -> DataRefused:
    reason = " ".join(str(error).split())[:160].rstrip(".")
    name = {"gz": "gzip", "zst": "zstd"}.get(compression, "readable")
    return DataRefused(f"{origin} is no whole {name} file: {reason}; is it cut off?")


def _with_commas(pieces: Iterator[bytes], separator: bytes, *, quotes: bool) -> Iterator[bytes]:
    """Another separator's text with commas, quoted where a field needs it; lines stay lines."""
    rest = b""
    mark = re.escape(separator)
    field = b"[^\r\n" + mark + b"]+"
    pattern = re.compile(
        b'"(?:[^"]|"")*"(?:' + field + b")?|" + field + b"|" + mark if quotes else field + b"|" + mark
    )

    def swap(match: re.Match[bytes]) -> bytes:
        token = match[0]
        if token == separator:
            return b","
        if quotes and token.startswith(b'"'):
            return token
        return b'"' + token.replace(b'"', b'""') + b'"' if b"," in token or b'"' in token else token

    def swapped(block: bytes) -> bytes:
        if b'"' not in block and b"," not in block:
            return block.replace(separator, b",")
        return pattern.sub(swap, block)

    for piece in pieces:
        block = rest + piece
        end = _last_record(block) if quotes else block.rfind(b"\n") + 1
        yield swapped(block[:end])
        rest = block[end:]
    yield swapped(rest)


def _last_record(block: bytes) -> int:
    """Where the last whole record ends: a line's end outside of quotes."""
    end = len(block)
    quoted = block.count(b'"') % 2
    while (line := block.rfind(b"\n", 0, end)) >= 0:
        quoted ^= block.count(b'"', line, end) % 2
        if not quoted:
            return line + 1
        end = line
    return 0
