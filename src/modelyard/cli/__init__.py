"""The command line: decode, one action or pipeline, encode (floor 9)."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; the process's exit code is 0 yes, 1 no, 2 misuse, 3 outage."""
    if sys.argv[1:] in ([], ["-h"], ["--help"]):
        from modelyard.cli.contents import help_text

        print(help_text())
        raise SystemExit(0)
    try:
        import click  # noqa: F401
    except ImportError:
        sys.stderr.write("modelyard: the command line needs more: pip install 'modelyard[yard]'\n")
        raise SystemExit(2) from None
    from modelyard.cli.run import run

    raise SystemExit(run(sys.argv[1:]))
