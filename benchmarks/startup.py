"""What the command line costs before it does anything: ``--help`` and a build in which nothing changed.

    python benchmarks/startup.py [--rounds 9]

Each command is a process of its own; the interpreter's own start (``python -c pass``) is measured in
the same rounds, in turn. Prints medians in milliseconds.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as scratch:
        project = Path(scratch) / "screening"
        modelyard = [str(Path(sys.executable).with_name("modelyard"))]
        for words in (["init", "screening", "--folder", str(project)], ["-C", str(project), "build"]):
            subprocess.run([*modelyard, *words], check=True, stdout=subprocess.DEVNULL)
        commands = {
            "python -c pass": [sys.executable, "-c", "pass"],
            "python -c 'import modelyard'": [sys.executable, "-c", "import modelyard"],
            "modelyard --help": [*modelyard, "--help"],
            "modelyard build, nothing changed": [*modelyard, "-C", str(project), "build"],
        }
        took: dict[str, list[float]] = {name: [] for name in commands}
        for _ in range(rounds):
            for name, command in commands.items():
                began = time.perf_counter()
                subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
                took[name].append(time.perf_counter() - began)
    for name, seconds in took.items():
        spread = f"{min(seconds) * 1000:.0f} to {max(seconds) * 1000:.0f}"
        print(f"{name:<34} {statistics.median(seconds) * 1000:7.0f} ms  ({spread})")


if __name__ == "__main__":
    main()
