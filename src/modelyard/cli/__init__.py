"""The command line: decode, one action or pipeline, encode (floor 9)."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Run the command line; the process's exit code is 0 yes, 1 no, 2 misuse, 3 outage."""
    try:
        code = _answered(sys.argv[1:])
        if sys.stdout is not None:
            sys.stdout.flush()
    except KeyboardInterrupt:  # before a command could begin
        sys.stderr.write("modelyard: stopped by Ctrl-C; what was finished is kept\n")
        code = 130
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115, PTH123
        code = 1
    raise SystemExit(code)


def _answered(arguments: list[str]) -> int:
    if arguments in ([], ["-h"], ["--help"]):
        from modelyard.cli.contents import help_text

        print(help_text())
        return 0
    try:
        import click  # noqa: F401
    except ImportError:
        sys.stderr.write("modelyard: the command line needs more: pip install 'modelyard[yard]'\n")
        return 2
    from modelyard.cli.run import run

    return run(arguments)
