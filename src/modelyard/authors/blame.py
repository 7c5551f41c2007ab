"""Where in the author's code an error came from, as one sentence."""

from __future__ import annotations

import linecache
import os
import traceback
from pathlib import Path

from modelyard.errors import AuthorError

_LONGEST = 300


def blame(what: str, error: BaseException, folder: Path) -> AuthorError:
    """An ``AuthorError``: ``what`` happened, the last line of ``folder`` in it, and the message.

    ``what`` is the sentence's beginning, such as ``train raised``.
    """
    place = _place(error, folder) or (_place(error.__cause__, folder) if error.__cause__ else "")
    kind = "" if isinstance(error, AuthorError) else f"{type(error).__name__.lstrip('_')}: "
    message = f"{kind}{one_line(_message(error))}".rstrip(": .")
    if isinstance(error, ModuleNotFoundError):
        pinned = (folder / "requirements.model").is_file()
        message += "; install it and pin it in requirements.model" if pinned else "; install it"
    return AuthorError(f"{what} at {place}: {message}." if place else f"{what}: {message}.")


def one_line(text: str) -> str:
    """``text`` without line breaks, cut at a length that still reads as a sentence."""
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def shown(path: Path) -> str:
    """``path`` from the current folder when it is below it, else in full."""
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except (OSError, ValueError):
        return str(path)


def _message(error: BaseException) -> str:
    if isinstance(error, SyntaxError):
        return error.msg
    if isinstance(error, SystemExit):
        return f"the code ended the program with {error.code!r}"
    if isinstance(error, KeyError) and error.args:
        return str(error.args[0])
    return str(error)


def _place(error: BaseException, folder: Path) -> str:
    if isinstance(error, SyntaxError) and error.filename and _inside(error.filename, folder):
        code = f" ({one_line(error.text)!r})" if error.text and error.text.strip() else ""
        return f"{shown(Path(error.filename))}, line {error.lineno}{code}"
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if found := at_line(frame.filename, frame.lineno or 0, folder):
            return found
    return ""


def at_line(filename: str, line: int, folder: Path) -> str:
    """``FILE, line N ('code')``; nothing when the file is not in ``folder``."""
    if not _inside(filename, folder):
        return ""
    linecache.checkcache(filename)
    code = linecache.getline(filename, line).strip()
    at = f"{shown(Path(filename))}, line {line}"
    return f"{at} ({one_line(code)!r})" if code else at


def _inside(filename: str, folder: Path) -> bool:
    try:
        return Path(os.path.realpath(filename)).is_relative_to(folder.resolve())
    except (OSError, ValueError):
        return False
