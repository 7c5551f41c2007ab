"""A build of four models on real data that share code, by real processes."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from modelyard.pipelines.plan import plan
from modelyard.project import open_project

Command = Callable[..., tuple[int, str, str]]
MODELS = ("cancer", "progression", "cultivar", "digit")


def build(project: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "modelyard", "-C", str(project), "build", *words]
    return subprocess.run(command, capture_output=True, text=True)


def states(project: Path, *words: str, code: int = 0) -> dict[str, str]:
    done = build(project, *words, "--json")
    assert done.returncode == code, done.stderr
    return {step["name"]: step["state"] for step in json.loads(done.stdout)}


def planned(project: Path) -> dict[str, dict[str, Any]]:
    here = open_project(project)
    return {
        step.name: msgspec.json.decode(msgspec.json.encode(step))
        for step in plan(here, tuple(here.settings.models))
    }


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def listed(project: Path, noun: str) -> list[dict[str, Any]]:
    command = [sys.executable, "-m", "modelyard", "-C", str(project), noun, "--json"]
    found: list[dict[str, Any]] = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return found


def whole(project: Path) -> None:
    for words in (["audit", "verify"], ["doctor"]):
        command = [sys.executable, "-m", "modelyard", "-C", str(project), *words]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


def test_a_second_build_does_nothing_and_loads_nothing_heavy(four: Path) -> None:
    program = (
        "import sys; from modelyard.cli.run import run;"
        f"code = run(['-C', {str(four)!r}, 'build']);"
        "heavy = {'sklearn', 'polars', 'pandas', 'dbos', 'alembic', 'onnxruntime', 'rich'} & set(sys.modules);"
        "sys.exit(repr(heavy) if heavy else code)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("unchanged") == 20
    assert sorted(v["model"] for v in listed(four, "versions")) == sorted(MODELS)


def test_an_edited_helper_is_noticed_and_an_unrelated_file_is_not(four: Path) -> None:
    (four / "common" / "unrelated.py").write_text("UNUSED = 2\n")
    (four / "notes.py").write_text("import common.features\n")
    assert {step["fate"] for step in planned(four).values()} == {"unchanged"}
    edit(four / "common" / "order.py", "sorted(names)", "sorted(names, reverse=True)")
    told = planned(four)
    for model in MODELS:
        assert told[f"{model}/train"]["reasons"] == ["code common/order.py changed"]
        assert told[f"{model}/evaluate"]["fate"] == "may run"
        assert told[f"{model}_rows/ingest"]["fate"] == "unchanged"


def test_one_models_own_file_is_of_no_other(four: Path) -> None:
    with (four / "models" / "cultivar" / "model.py").open("a") as file:
        file.write("# a remark\n")
    (four / "models" / "cultivar" / "words.txt").write_text("read by the model\n")
    told = planned(four)
    assert told["cultivar/train"]["reasons"] == [
        "code models/cultivar/model.py changed",
        "code models/cultivar/words.txt new",
    ]
    assert all(told[f"{m}/train"]["fate"] == "unchanged" for m in MODELS if m != "cultivar")


def test_why_a_step_would_run(four: Path) -> None:
    settings = four / "modelyard.toml"
    edit(settings, 'data = "digit_rows"\n', 'data = "digit_rows"\nparams = { C = 2.0 }\nseed = 3\n')
    edit(settings, 'data = "cancer_rows"\n', 'data = "cancer_rows"\ngates = { roc_auc = { min = 0.9 } }\n')
    (four / "data" / "cultivar.parquet").write_bytes((four / "data" / "cancer.parquet").read_bytes())
    told = planned(four)
    assert told["digit/train"]["reasons"] == ["parameter C as the model has it → 2.0", "seed 0 → 3"]
    assert told["cancer/train"]["fate"] == "unchanged"
    assert told["cancer/evaluate"]["reasons"] == ["gate roc_auc none → min 0.9"]
    assert told["cultivar_rows/ingest"]["reasons"] == ["source data/cultivar.parquet changed"]
    assert told["cultivar/train"] == {
        "name": "cultivar/train",
        "fate": "may run",
        "reasons": ["follows cultivar_rows/ingest"],
    }


def test_new_rows_are_told_by_their_version(four: Path, modelyard: Command) -> None:
    import polars as pl

    path = four / "data" / "cultivar.parquet"
    pl.read_parquet(path)[:170].write_parquet(path)
    assert modelyard("-C", four, "ingest", "cultivar_rows")[0] == 0
    assert planned(four)["cultivar/train"]["reasons"] == ["data cultivar_rows@1 → @2"]
    done = build(four, "--explain", "cultivar/train", "--json")
    told = {(given["kind"], given["name"]): given for given in json.loads(done.stdout)["inputs"]}
    assert told["data", "cultivar_rows"] == {
        "kind": "data",
        "name": "cultivar_rows",
        "before": "cultivar_rows@1",
        "now": "cultivar_rows@2",
        "changed": True,
    }
    assert not told["code", "common/features.py"]["changed"]


def test_an_unknown_step_is_misuse(four: Path) -> None:
    done = build(four, "--explain", "cultivar/dance")
    assert done.returncode == 2
    assert "cultivar/train" in done.stderr


def test_a_new_project_never_ran(tmp_path: Path, write_four: Callable[..., Path]) -> None:
    project = write_four(tmp_path / "new", ("cultivar",))
    assert [step["reasons"] for step in planned(project).values()] == [["never ran"]] * 5
    assert not (project / "data" / "cultivar_rows.schema.toml").exists()


def test_one_models_failure_stops_only_what_needs_it(four: Path) -> None:
    edit(
        four / "models" / "digit" / "model.py", "    model =", "    raise ValueError('too dark')\n    model ="
    )
    edit(four / "modelyard.toml", 'data = "cancer_rows"\n', 'data = "cancer_rows"\nseed = 1\n')
    found = states(four, code=1)
    assert found["digit/train"] == "failed"
    assert found["digit/evaluate"] == found["digit/package"] == found["digit/register"] == "skipped"
    assert found["cancer/train"] == "done"
    assert found["cultivar/register"] == "unchanged"
    done = build(four)
    assert "digit/evaluate" in done.stdout
    assert "needs digit/train" in done.stdout
    assert "models/digit/model.py, line" in done.stderr
    assert [v["number"] for v in listed(four, "versions") if v["model"] == "digit"] == [1]
    edit(four / "models" / "digit" / "model.py", "    raise ValueError('too dark')\n", "")
    assert states(four)["digit/register"] == "unchanged"


def test_an_error_in_shared_code_names_the_projects_file(four: Path) -> None:
    edit(four / "common" / "order.py", "return", "raise KeyError('no order')\n    return")
    done = build(four, "cancer")
    assert done.returncode == 1
    assert "scratch" not in done.stderr
    assert "common/order.py, line 3" in done.stderr


def test_a_no_of_a_gate_is_remembered(four: Path) -> None:
    edit(
        four / "modelyard.toml",
        'data = "cultivar_rows"\n',
        'data = "cultivar_rows"\ngates = { accuracy = { min = 1.5 } }\n',
    )
    first = build(four, "cultivar")
    again = build(four, "cultivar")
    assert (first.returncode, again.returncode) == (1, 1)
    assert first.stderr == again.stderr
    assert "1.5" in again.stderr
    evaluated = [event for event in listed(four, "audit") if event["action"] == "package.evaluated"]
    assert len(evaluated) == len(MODELS) + 1


def test_code_that_is_found_at_run_time_has_to_be_named(
    tmp_path: Path, write_four: Callable[..., Path]
) -> None:
    project = write_four(tmp_path / "dynamic", ("cultivar",))
    (project / "common" / "extra.py").write_text("C = 0.5\n")
    model = project / "models" / "cultivar" / "model.py"
    edit(
        model,
        "    model =",
        "    import importlib\n    importlib.import_module('common.' + 'extra')\n    model =",
    )
    done = build(project)
    assert done.returncode == 1
    assert "common.extra" in done.stderr
    edit(
        project / "modelyard.toml",
        'data = "cultivar_rows"\n',
        'data = "cultivar_rows"\ninclude = ["common/ex*.py"]\n',
    )
    assert states(project)["cultivar/register"] == "done"
    (project / "common" / "extra.py").write_text("C = 0.25\n")
    assert planned(project)["cultivar/train"]["reasons"] == ["code common/extra.py changed"]


def test_two_builds_at_once_make_one_version(tmp_path: Path, write_four: Callable[..., Path]) -> None:
    project = write_four(tmp_path / "twice", ("cultivar", "cancer"))
    command = [sys.executable, "-m", "modelyard", "-C", str(project), "build", "--jobs", "2"]
    both = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)
    ]
    for process in both:
        _, complaint = process.communicate()
        assert process.returncode == 0, complaint
    assert [v["number"] for v in listed(project, "versions")] == [1, 1]
    assert len(listed(project, "runs")) == 2
    whole(project)


def test_ctrl_c_ends_what_was_started_and_keeps_what_was_finished(four: Path) -> None:
    began = four / "began"
    for model in ("cancer", "digit"):
        edit(
            four / "models" / model / "model.py",
            "    model =",
            f"    import os, time\n    open({str(began)!r}, 'a').write(f'{{os.getpid()}}\\n')\n"
            "    time.sleep(60)\n    model =",
        )
    edit(four / "modelyard.toml", 'data = "cultivar_rows"\n', 'data = "cultivar_rows"\nseed = 9\n')
    command = [sys.executable, "-m", "modelyard", "-C", str(four), "build", "cultivar", "cancer", "digit"]
    process = subprocess.Popen(
        [*command, "--jobs", "3"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    wait_for(lambda: began.exists() and len(began.read_text().split()) == 2)
    process.send_signal(signal.SIGINT)
    _, complaint = process.communicate(timeout=60)
    assert process.returncode == 130, complaint
    assert complaint.strip() == "modelyard: stopped by Ctrl-C; what was finished is kept"
    wait_for(lambda: not any(alive(int(pid)) for pid in began.read_text().split()))
    edit(four / "models" / "cancer" / "model.py", "time.sleep(60)", "pass")
    assert states(four, "cultivar", "cancer")["cultivar/register"] in ("unchanged", "done")
    whole(four)


def test_a_step_that_is_killed_is_that_steps_failure_alone(four: Path) -> None:
    for model in ("cancer", "digit"):
        edit(
            four / "models" / model / "model.py",
            "    model =",
            "    import os, signal\n    os.kill(os.getpid(), signal.SIGKILL)\n    model =",
        )
    edit(four / "modelyard.toml", 'data = "cultivar_rows"\n', 'data = "cultivar_rows"\nseed = 9\n')
    done = build(four, "cultivar", "cancer", "digit", "--json")
    found = {step["name"]: step for step in json.loads(done.stdout)}
    assert done.returncode in (1, 3)
    assert found["cancer/train"]["state"] == found["digit/train"]["state"] == "failed"
    assert "SIGKILL" in found["digit/train"]["note"]
    assert found["cultivar/train"]["state"] == "done"
    whole(four)


def test_ten_kills_lose_nothing_that_was_finished(tmp_path: Path, write_four: Callable[..., Path]) -> None:
    project = write_four(tmp_path / "killed", ("cultivar", "progression"))
    command = [sys.executable, "-m", "modelyard", "-C", str(project), "build", "--jobs", "2"]
    choose = random.Random(4)
    finished: set[str] = set()
    for _ in range(10):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        time.sleep(choose.uniform(0.3, 3))
        process.kill()
        said, complaint = process.communicate()
        assert complaint == ""
        ended = {line.split()[0]: line for line in said.splitlines()}
        assert [line for name, line in ended.items() if name in finished and " unchanged" not in line] == []
        finished |= ended.keys()
    found = states(project, "--jobs", "2")
    assert {found[name] for name in finished} <= {"unchanged"}
    assert set(found.values()) <= {"done", "unchanged"}
    assert [v["number"] for v in listed(project, "versions")] == [1, 1]
    whole(project)


def wait_for(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not true():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.05)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
