"""What a build costs beside the steps' own time, and beside DVC and Kedro with the same graph.

    python benchmarks/training/build.py [--rounds 7] [--models 10]

Three measures, each command a process of its own, the programs in turn in every round:

1. Nothing changed: ``modelyard build`` of one model and of ``--models``, ``dvc repro`` of a pipeline with as
   many stages, and a Kedro run of the same graph, which has no cache and runs every (empty) node.
2. Two independent steps of two seconds each: two datasets whose rows come from a Python function that
   sleeps, against two DVC stages that sleep.
3. The same with two models whose ``train`` sleeps: everything around it (rows, proof, package, report)
   included, side by side and with ``--jobs 1``.

DVC and Kedro are installed by uv into environments of their own on first use (``.cache/envs``). Prints
medians of wall and processor time, and how many times ours they are.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

CACHE = Path(__file__).parents[2] / ".cache" / "envs"
ROWS = "x,y\n" + "".join(f"{n % 17}.5,{'b' if n % 3 else 'a'}\n" for n in range(200))
MODEL = """
{begin}
from sklearn.linear_model import LogisticRegression

def train(data, params):
    {before}
    return LogisticRegression().fit(data.features, data.target)
"""
KEDRO_RUN = """
import sys
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import node, pipeline
from kedro.runner import SequentialRunner

def pass_on(value):
    return value

nodes = []
for model in range(int(sys.argv[1])):
    names = [f"{model}_{step}" for step in ("source", "ingest", "train", "evaluate", "package", "register")]
    nodes += [node(pass_on, a, b, name=b) for a, b in zip(names, names[1:])]
catalog = DataCatalog({f"{model}_source": MemoryDataset(1) for model in range(int(sys.argv[1]))})
SequentialRunner().run(pipeline(nodes), catalog)
"""
Command = tuple[list[str], Path]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--models", type=int, default=10)
    given = parser.parse_args()
    dvc, kedro = _environment("dvc==3.67.1") / "bin" / "dvc", _environment("kedro==1.7.0") / "bin" / "python"
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        _unchanged(place, dvc, kedro, given.models, given.rounds)
        _two_steps(place, dvc, max(3, given.rounds // 2))


def _unchanged(place: Path, dvc: Path, kedro: Path, models: int, rounds: int) -> None:
    print("nothing changed")
    (place / "kedro_run.py").write_text(KEDRO_RUN)
    for count in (1, models):
        ours = _project(place / f"ours-{count}", count)
        theirs = _dvc(
            place / f"dvc-{count}", dvc, [f"{n}-{step}" for n in range(count) for step in range(5)], "true"
        )
        _run((_modelyard("build"), ours))
        _run(([str(dvc), "repro"], theirs))
        commands: dict[str, Command] = {
            f"modelyard build, {count} model(s)": (_modelyard("build"), ours),
            f"dvc repro, {count * 5} stages": ([str(dvc), "repro"], theirs),
            f"kedro, {count * 5} nodes": ([str(kedro), str(place / "kedro_run.py"), str(count)], place),
        }
        _show(_measured(commands, rounds))


def _two_steps(place: Path, dvc: Path, rounds: int) -> None:
    print("two independent steps of two seconds")
    sleepy = (
        "import time, polars as pl\n\ndef rows():\n    time.sleep(2)\n    yield pl.read_csv('rows.csv')\n"
    )
    ours = _project(place / "sleepy", 2, source="data/feed.py:rows")
    (ours / "data" / "feed.py").write_text(sleepy)
    (ours / "rows.csv").write_text(ROWS)
    theirs = _dvc(place / "dvc-sleepy", dvc, ["one", "two"], "sleep 2")
    trained = _project(place / "trained", 2, begin="import time", before="time.sleep(2)")
    _run((_modelyard("build"), ours))
    _run((_modelyard("ingest", "rows0"), trained))
    _run((_modelyard("ingest", "rows1"), trained))

    def again() -> None:
        for name in ("sleepy", "trained"):
            yard = place / name / ".modelyard" / "yard.db"
            if name == "trained" and yard.exists():
                _forget(place / name)

    commands: dict[str, Command] = {
        "modelyard build, two ingests": (_modelyard("build", "--jobs", "2"), ours),
        "dvc repro, two stages": ([str(dvc), "repro", "--force"], theirs),
        "modelyard build, two trainings": (_modelyard("build", "--jobs", "2"), trained),
        "modelyard build, two trainings, --jobs 1": (_modelyard("build", "--jobs", "1"), trained),
    }
    _show(_measured(commands, rounds, before=again))


def _forget(project: Path) -> None:
    """Another seed: the trainings are to be done again."""
    settings = project / "modelyard.toml"
    text = settings.read_text()
    marked = text.split("# seed ")
    number = int(marked[1].split()[0]) + 1
    settings.write_text(
        text.replace(f"# seed {number - 1}", f"# seed {number}").replace(
            f"seed = {number - 1}\n", f"seed = {number}\n"
        )
    )


def _project(folder: Path, models: int, *, source: str = "", begin: str = "", before: str = "pass") -> Path:
    (folder / "data").mkdir(parents=True)
    settings = '[project]\nname = "bench"\n[environments.test]\nport = 8101\n# seed 0\n'
    for n in range(models):
        (folder / "data" / f"rows{n}.csv").write_text(ROWS)
        place = folder / "models" / f"model{n}"
        place.mkdir(parents=True)
        (place / "model.py").write_text(MODEL.format(begin=begin, before=before))
        (place / "requirements.model").write_text(
            f"scikit-learn=={importlib.metadata.version('scikit-learn')}\n"
        )
        rows = f'{{ python = "{source}" }}' if source else f'"data/rows{n}.csv"'
        settings += f'[data.rows{n}]\nsource = {rows}\ntarget = "y"\n'
        settings += f'[models.model{n}]\ncode = "models/model{n}"\ndata = "rows{n}"\nseed = 0\n'
        settings += (
            "evaluation = { search = false, importance = false, stability = false, baselines = false }\n"
        )
    (folder / "modelyard.toml").write_text(settings)
    return folder


def _dvc(folder: Path, dvc: Path, stages: list[str], does: str) -> Path:
    folder.mkdir()
    told = "stages:\n"
    before = "rows.csv"
    (folder / "rows.csv").write_text(ROWS)
    for name in stages:
        depends = "rows.csv" if does != "true" or name.endswith("-0") else before
        told += f"  s{name}:\n    cmd: {does} && cp {depends} {name}.out\n    deps: [{depends}]\n    outs: [{name}.out]\n"
        before = f"{name}.out"
    (folder / "dvc.yaml").write_text(told)
    _run(([str(dvc), "init", "--no-scm", "--quiet"], folder))
    return folder


def _measured(
    commands: dict[str, Command], rounds: int, *, before: Callable[[], None] = lambda: None
) -> dict[str, list[tuple[float, float]]]:
    took: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            before()
            began, busy = time.perf_counter(), _busy()
            _run(command)
            took[name].append((time.perf_counter() - began, _busy() - busy))
    return took


def _busy() -> float:
    """Processor seconds of all that this process has started and waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _show(took: dict[str, list[tuple[float, float]]]) -> None:
    """Medians, and how many times the first one's they are."""
    middle = {
        name: [statistics.median(one) for one in zip(*pairs, strict=True)] for name, pairs in took.items()
    }
    wall, busy = next(iter(middle.values()))
    for name, (seconds, used) in middle.items():
        print(f"  {name:<42} {seconds:6.2f} s {seconds / wall:5.2f}   busy {used:5.2f} s {used / busy:5.2f}")


def _modelyard(*words: str) -> list[str]:
    return [sys.executable, "-m", "modelyard", *words]


def _run(command: Command) -> None:
    words, place = command
    quiet = {**os.environ, "DVC_NO_ANALYTICS": "1", "KEDRO_DISABLE_TELEMETRY": "1"}
    done = subprocess.run(words, cwd=place, env=quiet, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{' '.join(words)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")


def _environment(name: str) -> Path:
    """An environment with that package, made on first use."""
    home = CACHE / f"bench-{name.replace('==', '-')}"
    if not (home / "ready").exists():
        uv = shutil.which("uv") or str(Path(sys.executable).with_name("uv"))
        subprocess.run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(home)], check=True)
        subprocess.run(
            [uv, "pip", "install", "--quiet", "--python", str(home / "bin" / "python"), name], check=True
        )
        (home / "ready").touch()
    return home


if __name__ == "__main__":
    main()
