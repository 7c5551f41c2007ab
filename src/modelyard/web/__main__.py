"""``python -m modelyard.web -C PROJECT``: a part of ``up``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from modelyard.errors import Misuse, ModelyardError
from modelyard.pipelines.leash import heed
from modelyard.project import open_project
from modelyard.web.listen import listen


def main() -> int:
    """The exit code: 2 for what the settings forbid, 3 when the port is taken."""
    parser = argparse.ArgumentParser(prog="python -m modelyard.web")
    parser.add_argument("-C", dest="folder", type=Path)
    heed()
    try:
        listen(open_project(parser.parse_args().folder))
    except ModelyardError as error:
        print(f"console: {error}", file=sys.stderr, flush=True)
        return 2 if isinstance(error, Misuse) else 3
    return 0


raise SystemExit(main())
