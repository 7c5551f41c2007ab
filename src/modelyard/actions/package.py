"""``package``: hold a trained candidate to be what was tested, and hand it out as a folder."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import msgspec

from modelyard.actions.evaluate import stored_report
from modelyard.actions.locate import located
from modelyard.errors import GateFailed, Misuse, StoreDown
from modelyard.project import Project
from modelyard.records.package import Package


def package(project: Project, ref: str, *, output: Path | None = None) -> Package:
    """Verify the sealed package that ``ref`` names, with its report; copy it to ``output``.

    The folder loads with ``mlflow.pyfunc.load_model``. The report is an attestation and stands
    beside it as ``OUTPUT.report.json``. Raises ``GateFailed`` for a package that was not tested.
    """
    from modelyard.packaging import fetch

    found = located(project, ref)
    if found.report is None:
        raise GateFailed(f"{ref} was not tested yet; run 'modelyard evaluate {ref}' first.")
    report = stored_report(project, found.report)
    if not report.passed:
        raise GateFailed(f"{ref} did not pass its gates; see 'modelyard evaluate {ref}'.")
    project.tell(f"verifying {ref}")
    folder = fetch(found.digest, project.artifacts, project.package_folder(found.digest))
    if output is not None:
        try:
            _copy(folder, output)
            output.with_name(f"{output.name}.report.json").write_bytes(msgspec.json.encode(report))
        except OSError as error:
            raise StoreDown(f"The package could not be written to {output}: {error.strerror}.") from None
    return found


def _copy(folder: Path, output: Path) -> None:
    if output.exists():
        raise Misuse(f"{output} is there already; name a folder that is not, or remove it.")
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{output.name}-", dir=output.parent) as scratch:
        shutil.copytree(folder, Path(scratch) / "package", copy_function=shutil.copyfile)
        (Path(scratch) / "package").rename(output)
