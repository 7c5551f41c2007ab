"""``data show``: what a dataset version holds."""

from __future__ import annotations

from pathlib import Path

from modelyard.actions.stored import dataset_version, profile, rows
from modelyard.errors import StoreDown
from modelyard.project import Project
from modelyard.records.datareport import DataReport


def show(project: Project, ref: str, *, relations: bool = True) -> DataReport:
    """Columns, classes, relations, balance, marks; without ``relations`` no row is read."""
    from modelyard.data import describe

    version = dataset_version(project, ref)
    counted = profile(project, version)
    if not relations:
        return describe(version, counted)
    project.tell(f"reading {version.ref}")
    return describe(version, counted, rows(project, version))


def publish(project: Project, report: DataReport, file: Path | None = None) -> Path:
    """Write the report as one page and return where; by default below the project's own reports."""
    from modelyard.render.datapage import data_report

    content = data_report(report)
    dataset, _, number = report.dataset.rpartition("@")
    path = file or project.home / "reports" / "data" / dataset / f"{number}.html"
    draft = path.with_name(f".{path.name}.draft")
    try:
        if file is None:
            path.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(content, encoding="utf-8", errors="replace")
        draft.replace(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise StoreDown(f"The report could not be written to {path}: {error.strerror or error}.") from None
    return path
