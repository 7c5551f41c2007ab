"""The files of a project, by its choices; nothing is written here."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from modelyard.errors import ExtraMissing
from modelyard.render.generated import templates
from modelyard.scaffold.choices import Choices
from modelyard.scaffold.rows import KEY, PROGRESSION, TABLES, TARGET, Row, as_csv

_FOLDER = Path(__file__).parent / "templates"
_SUFFIX = ".jinja"
_PINNED = ("numpy", "pandas", "scikit-learn")
_DOTTED = ("gitignore", "pre-commit-config.yaml")
CI_FILES = {
    "github": ".github/workflows/modelyard.yml",
    "gitlab": ".gitlab-ci.yml",
    "bitbucket": "bitbucket-pipelines.yml",
    "azure": "azure-pipelines.yml",
    "jenkins": "Jenkinsfile",
}
SETTINGS = "modelyard.toml"
_ABOUT = {
    "classification": "A model that tells benign from malignant tumours, from its data to a monitored service in production",
    "regression": "A model that foretells how diabetes goes on, from its data to a monitored service in production",
    "timeseries": "A model that forecasts the passengers of the next month, from its data to a monitored service in production",
    "blank": "Models, from their data to monitored services in production",
}
_DATA = {
    "classification": [
        (
            "data/patients.csv",
            "the rows: the Wisconsin diagnostic breast cancer table that scikit-learn carries",
        )
    ],
    "regression": [("data/patients.csv", "the rows: the diabetes table that scikit-learn carries")],
    "timeseries": [
        ("data/passengers.csv", "the series: monthly airline passengers, 1949 to 1960"),
        ("data/months.sql", "makes a row a month of it, with earlier months as features"),
    ],
    "blank": [],
}
_REVIEWS = [("sme", "the report is convincing"), ("ethics", "no group is worse off")]
_EXAMPLE = {
    "classification": '"mean_radius": 17.99',
    "regression": '"age": 59, "bmi": 32.1',
    "timeseries": '"last_month": 432',
    "blank": "",
}


def upkeep(choices: Choices) -> dict[str, bytes]:
    """The files that Modelyard keeps up to date: set-up, style, pipeline; by path."""
    return {
        path: content
        for path, content in _common(choices)
        if path in ("Makefile", ".gitignore", ".pre-commit-config.yaml", *CI_FILES.values())
    }


def all_files(choices: Choices) -> dict[str, bytes]:
    """Every file of a new project by path."""
    found = dict(_common(choices))
    template = _FOLDER / str(choices.template)
    environment = templates(template)
    facts = _facts(choices)
    for file in sorted(template.rglob(f"*{_SUFFIX}")):
        inside = file.relative_to(template).as_posix()
        path = inside.removesuffix(_SUFFIX).replace("NAME", choices.name)
        found[path] = environment.get_template(inside).render(facts).encode()
    if (table := TABLES.get(str(choices.template))) is not None:
        name, rows = table
        found[f"data/{name}.csv"] = as_csv(rows()).encode()
    return found


def _common(choices: Choices) -> Iterator[tuple[str, bytes]]:
    environment = templates(_FOLDER)
    facts = _facts(choices)

    def render(inside: str) -> bytes:
        return environment.get_template(inside).render(facts).encode()

    for file in sorted((_FOLDER / "common").glob(f"*{_SUFFIX}")):
        name = file.name.removesuffix(_SUFFIX)
        yield f".{name}" if name in _DOTTED else name, render(f"common/{file.name}")
    yield "LICENSE", render(f"licenses/{choices.licence}{_SUFFIX}")
    if choices.docs_licence:
        yield "docs/LICENSE", render(f"licenses/docs-{choices.docs_licence}{_SUFFIX}")
    if choices.ci:
        yield CI_FILES[choices.ci], render(f"ci/{choices.ci}{_SUFFIX}")


def _facts(choices: Choices) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "name": choices.name,
        "model": "" if choices.template == "blank" else choices.name,
        "ports": choices.ports,
        "year": choices.year,
        "requirements": [_pin(distribution) for distribution in _PINNED],
        "about": _ABOUT[str(choices.template)],
        "data_files": _DATA[str(choices.template)],
        "example": _EXAMPLE[str(choices.template)],
        "reviews": _REVIEWS[:1] if choices.template == "timeseries" else _REVIEWS,
        "ci": choices.ci,
        "ci_file": CI_FILES[choices.ci] if choices.ci else "",
        "badge": _badge(choices),
        "flow": choices.flow,
        "environments": ("test", "staging", "prod"),
        "branches": dict(zip(("test", "staging", "prod"), _BRANCHES[choices.flow], strict=True)),
    }
    if choices.template == "classification":
        rows = TABLES["classification"][1]()
        # the largest and the smallest tumour: no split and no seed makes a model doubt these
        facts["benign"] = _features(min(rows, key=lambda row: row["worst_area"]))
        facts["malignant"] = _features(max(rows, key=lambda row: row["worst_area"]))
    if choices.template == "regression":
        facts["example_row"] = _features(TABLES["regression"][1]()[0])
    return facts


_BRANCHES = {"trunk": ("main", "", ""), "branches": ("development", "staging", "production")}


def _features(row: Row) -> Row:
    return {name: value for name, value in row.items() if name not in (KEY, TARGET, PROGRESSION)}


def _pin(distribution: str) -> str:
    try:
        return f"{distribution}=={metadata.version(distribution)}"
    except metadata.PackageNotFoundError:
        raise ExtraMissing(
            f"A new project needs {distribution}; run 'pip install \"modelyard[yard]\"'."
        ) from None


def _badge(choices: Choices) -> str:
    """Of the forge's own making where it has one; empty where the repository's address is not known."""
    home, file = choices.home, Path(CI_FILES[choices.ci]).name if choices.ci else ""
    if not home:
        return ""
    owner_and_name = home.split("/", 3)[3]
    return {
        "github": f"[![modelyard]({home}/actions/workflows/{file}/badge.svg)]({home}/actions/workflows/{file})",
        "gitlab": f"[![pipeline]({home}/badges/main/pipeline.svg)]({home}/-/pipelines)",
        "bitbucket": f"[![pipeline](https://img.shields.io/bitbucket/pipelines/{owner_and_name}/main)]"
        f"({home}/pipelines)",
    }.get(choices.ci or "", "")
