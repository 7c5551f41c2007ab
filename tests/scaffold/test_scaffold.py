from __future__ import annotations

import csv
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from modelyard import scaffold
from modelyard.errors import Misuse
from modelyard.scaffold import Choices
from modelyard.scaffold.rows import as_csv, tumours
from modelyard.settings import read
from modelyard.training import closure, identify, payloads, run_tests


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("new") / "screening"
    scaffold.create(folder, Choices(name="screening"))
    return folder


def _digests(folder: Path) -> dict[str, str]:
    files = [p for p in folder.rglob("*") if p.is_file()]
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def test_a_project_is_what_the_design_says(project: Path) -> None:
    assert sorted(_digests(project)) == [
        ".gitignore",
        ".modelyard.json",
        ".pre-commit-config.yaml",
        "CONTRIBUTING.md",
        "LICENSE",
        "Makefile",
        "README.md",
        "data/patients.csv",
        "docs/screening.md",
        "models/screening/model.py",
        "models/screening/requirements.model",
        "models/screening/test_model.py",
        "modelyard.toml",
        "requirements.txt",
    ]
    assert [p.name for p in project.parent.iterdir()] == ["screening"]
    assert ".modelyard/" in (project / ".gitignore").read_text().splitlines()


def test_its_settings_are_read(project: Path) -> None:
    settings = read(project, {})
    assert settings.project.name == "screening"
    assert settings.data["patients"].target == "diagnosis"
    assert settings.data["patients"].key == "patient_id"
    gate = settings.models["screening"].gates["roc_auc"]
    assert (gate.min, gate.no_worse_than, gate.tolerance) == (0.95, "prod", 0.005)
    assert [(n, e.port) for n, e in settings.environments.items()] == [
        ("test", 8101),
        ("staging", 8102),
        ("prod", 8103),
    ]
    assert settings.environments["prod"].reviews == ("sme", "ethics")
    assert settings.monitor["screening"].window == "1h"
    assert (project / settings.models["screening"].code / "model.py").is_file()


def test_its_table_has_the_key_the_target_and_thirty_numbers(project: Path) -> None:
    table = pl.read_csv(project / "data" / "patients.csv")
    assert (table.height, table.width) == (569, 32)
    assert table["patient_id"].n_unique() == 569
    assert table["diagnosis"].value_counts().sort("diagnosis").rows() == [("benign", 357), ("malignant", 212)]
    assert {str(t) for t in table.drop("patient_id", "diagnosis").dtypes} == {"Float64"}
    assert all(name.isidentifier() for name in table.columns)
    assert table.row(0, named=True)["worst_area"] == 2019.0


def test_its_own_tests_pass(project: Path) -> None:
    result = run_tests(project / "models" / "screening", cwd=project)
    assert (result.failed, result.errors) == (0, 0), result.output
    assert result.passed == 4


def test_ruff_has_nothing_to_say(project: Path) -> None:
    for words in (["check"], ["format", "--check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *words, "--isolated", "--no-cache", "."],
            cwd=project,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_its_model_trains_and_answers_its_own_payloads(project: Path) -> None:
    from modelyard.predictor.native import answer
    from modelyard.records.schema import Column, Schema
    from modelyard.tables.gather import gather, target
    from modelyard.training.fit import fit
    from modelyard.training.model_code import load
    from modelyard.training.rows import Rows

    folder = project / "models" / "screening"
    frame = pl.read_csv(project / "data" / "patients.csv")
    columns = tuple(
        Column(name=n, kind="string" if n in ("patient_id", "diagnosis") else "float") for n in frame.columns
    )
    schema = Schema(columns=columns, target="diagnosis", key=("patient_id",))
    rows = Rows(gather(frame, schema), target(frame, schema))
    trained = fit(
        load(folder), rows, schema, params={}, seed=0, task="binary", classes=("benign", "malignant")
    )
    assert trained.params == {"C": 1.0}
    good = [payload for payload in payloads(folder) if payload.status == 200]
    assert good
    for payload in good:
        asked = gather(pl.DataFrame(list(payload.rows)), schema)
        answers = answer(trained.fitted, asked, schema)
        assert tuple(answers.prediction.tolist()) == payload.prediction
        assert answers.probability is not None
        assert answers.probability.max(axis=1).min() > 0.95


def test_its_requirements_are_installed(project: Path) -> None:
    assert {"numpy", "pandas", "scikit-learn", "scipy"} <= set(closure(project / "models" / "screening"))


def test_its_readme_names_only_commands_that_exist(project: Path) -> None:
    from modelyard.cli.commands import COMMANDS

    words = (project / "README.md").read_text().split("$ modelyard ")[1:]
    assert len(words) > 8
    assert {text.split()[0] for text in words} <= set(COMMANDS)


def test_its_makefile_has_the_targets(project: Path) -> None:
    for target in ("install", "lint", "format", "test", "all"):
        done = subprocess.run(["make", "-n", target], cwd=project, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


def test_a_second_project_lives_beside_it_on_other_ports(project: Path, tmp_path: Path) -> None:
    name = "a-very-long-name-for-a-project_2"
    files = scaffold.create(tmp_path / "x" / "y", Choices(name=name, ports=(9101, 9102, 9103))).files
    settings = read(tmp_path / "x" / "y", {})
    assert [e.port for e in settings.environments.values()] == [9101, 9102, 9103]
    assert settings.project.name == name
    assert tmp_path / "x" / "y" / "models" / name / "model.py" in files
    assert files == sorted(files)
    one = identify(project / "models" / "screening", project).digest
    assert identify(tmp_path / "x" / "y" / "models" / name, tmp_path).digest == one
    table = "data/patients.csv"
    assert _digests(project)[table] == _digests(tmp_path / "x" / "y")[table]


def test_an_empty_folder_is_used(tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    scaffold.create(tmp_path / "here", Choices(name="here"))
    assert read(tmp_path / "here", {}).project.name == "here"


def _occupied(place: Path) -> None:
    place.mkdir()
    (place / "notes.txt").write_text("mine")


@pytest.mark.parametrize(
    ("prepare", "options", "says"),
    [
        (_occupied, {"name": "p"}, "is not empty and no git repository; choose another folder"),
        (lambda place: place.write_text("file"), {"name": "p"}, "exists and is no folder"),
        (lambda place: place.symlink_to("nowhere"), {"name": "p"}, "exists and is no folder"),
        (lambda _: None, {"name": "Bad Name"}, "'Bad Name' is no name"),
        (lambda _: None, {"name": "../up"}, "is no name"),
        (lambda _: None, {"name": ""}, "is no name"),
        (lambda _: None, {"name": "x" * 64}, "is no name"),
        (lambda _: None, {"name": "patients"}, "is the name of the template's dataset"),
        (lambda _: None, {"name": "p", "template": "poetry"}, "no template 'poetry'; known: classification"),
        (lambda _: None, {"name": "p", "ports": (1, 1, 2)}, "three different ones"),
        (lambda _: None, {"name": "p", "ports": (0, 1, 70000)}, "three different ones"),
    ],
)
def test_what_cannot_be_made_is_refused_and_nothing_is_written(
    tmp_path: Path,
    prepare,
    options,
    says: str,  # type: ignore[no-untyped-def]
) -> None:
    place = tmp_path / "p"
    prepare(place)
    before = _digests(tmp_path), sorted(tmp_path.iterdir())
    with pytest.raises(Misuse, match=says):
        scaffold.create(place, Choices(**options))
    assert (_digests(tmp_path), sorted(tmp_path.iterdir())) == before


def test_a_disk_that_refuses_leaves_nothing(tmp_path: Path) -> None:
    code = (
        "import resource, sys; from pathlib import Path; from modelyard.scaffold import Choices, create\n"
        "from modelyard.errors import StoreDown\n"
        "import sklearn.datasets, jinja2, signal\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4000, 4000))\n"
        "try: create(Path(sys.argv[1]), Choices(name='p'))\n"
        "except StoreDown as error: print(error)\n"
    )
    environ = os.environ | {"PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "p")], capture_output=True, text=True, env=environ
    )
    assert "cannot be written" in done.stdout, done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_table_is_the_same_bytes_every_time(tmp_path: Path) -> None:
    for name in ("one.csv", "two.csv"):
        (tmp_path / name).write_text(as_csv(tumours()))
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "two.csv").read_bytes()
    with (tmp_path / "one.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[0]["mean_radius"] == "17.99"
    assert b"\r" not in (tmp_path / "one.csv").read_bytes()


def test_every_template_file_ships(project: Path) -> None:
    folder = Path(scaffold.__file__).parent / "templates"
    assert all(path.suffix == ".jinja" for path in folder.rglob("*") if path.is_file())
    before = _digests(project)
    scaffold.create(project, Choices(name="screening"))
    assert _digests(project) == before
