"""A thousand clocks on one machine: how late what they ask for is asked for.

    python benchmarks/control/clocks.py [--clocks 1000] [--minutes 3]

The clock of ``up`` runs over a project with so many models, each with a trigger that is looked at each minute: all fall due
at once, which is the worst case. Late is what lies between a job's moment and the end of the transaction that asked for it.
"""

from __future__ import annotations

import argparse
import resource
import statistics
import tempfile
import time
from pathlib import Path

from modelyard.pipelines.clock import Clock
from modelyard.project import now, open_project


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--clocks", type=int, default=1000)
    parser.add_argument("--minutes", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        late, asked, slowest = run(Path(folder), given.clocks, given.minutes)
    late.sort()
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(f"{given.clocks} clocks, {given.minutes} minutes: {len(late)} jobs asked for, {asked} distinct")
    print(
        f"late by: median {statistics.median(late):.2f} s, 99 % {late[int(len(late) * 0.99)]:.2f} s, most {late[-1]:.2f} s"
    )
    print(f"the longest step {slowest:.2f} s; memory {memory} MB")


def run(folder: Path, clocks: int, minutes: int) -> tuple[list[float], int, float]:
    """How late each job was, how many (clock, moment) there were, and the slowest step, in seconds."""
    text = '[project]\nname = "clocks"\n[data.d]\nsource = "d.csv"\ntarget = "y"\n[environments.test]\nport = 8101\n'
    text += "".join(
        f'[models.m{n}]\ncode = "m"\ndata = "d"\n[triggers.m{n}]\non = ["code"]\n' for n in range(clocks)
    )
    (folder / "modelyard.toml").write_text(text)
    project = open_project(folder)
    clock = Clock(project)
    late: list[float] = []
    moments: set[tuple[str, float]] = set()
    slowest, end = 0.0, time.monotonic() + 60 * minutes + 1
    while time.monotonic() < end:
        began = time.perf_counter()
        jobs = clock.step()
        slowest = max(slowest, time.perf_counter() - began)
        done = now()
        late += [(done - job.due).total_seconds() for job in jobs]
        moments |= {(job.by, job.due.timestamp()) for job in jobs}
        if jobs:  # as a worker would have them ended by then
            project.yard.mark(
                "clocks", lambda facts, ended=jobs: [facts.jobs.remove(job.id) for job in ended]
            )
        time.sleep(0.5)
    return late, len(moments), slowest


if __name__ == "__main__":
    main()
