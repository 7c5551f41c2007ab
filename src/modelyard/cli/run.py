"""Run one command and say what came of it: the only map from errors to exit codes."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence

import click

from modelyard.cli.commands import modelyard
from modelyard.errors import ExtraMissing, Misuse, ModelyardError, Outage, Refusal, StoreDown

EXIT_CODES: dict[type[ModelyardError], int] = {Refusal: 1, Misuse: 2, Outage: 3}


def run(arguments: Sequence[str]) -> int:
    """The exit code of the command line's words; errors are one sentence on standard error."""
    debug = "--debug" in arguments
    try:
        result = modelyard.main(args=list(arguments), prog_name="modelyard", standalone_mode=False)
    except click.exceptions.Exit as end:
        return end.exit_code
    except click.Abort as error:
        return _say(str(error.__cause__ or "") or "stopped by Ctrl-C; what was finished is kept", 130)
    except KeyboardInterrupt:
        return _say("stopped by Ctrl-C; what was finished is kept", 130)
    except click.ClickException as error:
        error.show()
        return 2
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123
        return 1
    except Exception as error:
        if debug:
            raise
        known = _known(error)
        if known is None:
            sentence = (
                f"an unexpected {type(error).__name__}: {error}; run it again with --debug to see where"
            )
            return _say(sentence, 3)
        return _say(str(known), exit_code(known))
    return result if isinstance(result, int) else 0


def exit_code(error: ModelyardError) -> int:
    """1 the answer is no, 2 misuse, 3 outage."""
    return next(code for kind, code in EXIT_CODES.items() if isinstance(error, kind))


def _known(error: Exception) -> ModelyardError | None:
    if isinstance(error, ModelyardError):
        return error
    if isinstance(error, ModuleNotFoundError) and error.name and not error.name.startswith("modelyard"):
        return ExtraMissing(f"This needs the library '{error.name}': pip install 'modelyard[yard]'.")
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES):
        where = f" at {error.filename}" if error.filename else ""
        return StoreDown(f"The disk refused{where}: {error.strerror}; mend that and run the command again.")
    return None


def _say(sentence: str, code: int) -> int:
    from modelyard.cli.output import clear_line
    from modelyard.render.text import harmless

    clear_line()
    sys.stderr.write(f"modelyard: {harmless(sentence, keep=chr(10))}\n")
    return code
