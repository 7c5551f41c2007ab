"""``package``: hold a trained candidate to be what was tested, and hand it out as a folder or one file."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from modelyard.actions.attestations import attestations
from modelyard.actions.evaluate import stored_report
from modelyard.actions.locate import located, materialised
from modelyard.actions.signed import sign as sign_package
from modelyard.errors import GateFailed, Misuse, StoreDown
from modelyard.project import Project
from modelyard.records.package import Package


def package(project: Project, ref: str, *, output: Path | None = None, sign: bool = False) -> Package:
    """Verify the sealed package that ``ref`` names, with its report; hand it out as ``output``.

    A path that ends in ``.mypkg`` becomes one file, another one a folder that loads with
    ``mlflow.pyfunc.load_model``, with the attestations beside it as ``OUTPUT.report.json`` and so on. With ``sign``
    this machine's key signs it first, whatever was tested. Raises ``GateFailed`` for a package that was not tested.
    """
    found = located(project, ref)
    if sign:
        materialised(project, found.digest)
        found = sign_package(project, found)
    if found.report is None:
        raise GateFailed(f"{ref} was not tested yet; run 'modelyard evaluate {ref}' first.")
    report = stored_report(project, found.report)
    if not report.passed:
        raise GateFailed(f"{ref} did not pass its gates; see 'modelyard evaluate {ref}'.")
    project.tell(f"verifying {ref}")
    folder = materialised(project, found.digest)
    if output is not None:
        _hand_out(folder, output, attestations(project, found))
    return found


def _hand_out(folder: Path, output: Path, attestations: Mapping[str, bytes]) -> None:
    from modelyard.packaging import ENDING, pack

    if output.exists():
        raise Misuse(f"{output} is there already; name what is not, or remove it.")
    if output.name.endswith(ENDING):
        pack(folder, attestations, output)
        return
    try:
        _copy(folder, output)
        for name, content in attestations.items():
            output.with_name(f"{output.name}.{name}").write_bytes(content)
    except OSError as error:
        raise StoreDown(f"The package could not be written to {output}: {error.strerror}.") from None


def _copy(folder: Path, output: Path) -> None:
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{output.name}-", dir=output.parent) as scratch:
        shutil.copytree(folder, Path(scratch) / "package", copy_function=shutil.copyfile)
        (Path(scratch) / "package").rename(output)
