"""``python -m modelyard.serving --plan PLAN.json --state STATE.json``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from modelyard.serving.supervisor import Supervisor


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m modelyard.serving", description="A service's supervisor."
    )
    parser.add_argument("--plan", type=Path, required=True, help="what to serve: a ServicePlan as JSON")
    parser.add_argument("--state", type=Path, required=True, help="where to say what answers")
    parser.add_argument("--parent", type=int, help="end when this process, which started it, has ended")
    given = parser.parse_args()
    return Supervisor(given.plan, given.state, parent=given.parent).run()


if __name__ == "__main__":
    sys.exit(main())
