"""``card``: a document about a model or a dataset, prefilled from records."""

from __future__ import annotations

from pathlib import Path

import modelyard
from modelyard.actions.attestations import attested
from modelyard.actions.documented import data_answers, model_facts
from modelyard.actions.evaluate import stored_report
from modelyard.actions.locate import located, materialised
from modelyard.actions.signed import merged
from modelyard.actions.stored import dataset_version, profile
from modelyard.actions.written import written
from modelyard.documents import DATA, MODEL, DataFacts, Document, ModelFacts, fill, form
from modelyard.documents.forms import Form
from modelyard.errors import GateFailed, Misuse
from modelyard.ports import Facts
from modelyard.project import Project, fresh
from modelyard.records.package import Package
from modelyard.records.report import Report
from modelyard.settings import cards


def card(project: Project, ref: str, *, template: str | None = None) -> Document:
    """The document about the version or candidate, or the dataset version, that ``ref`` names.

    ``template`` is the name of one of ours, by default the model card or the data sheet, or a file that ends in ``.md``.
    Raises ``GateFailed`` for a model that was not tested, ``SettingsError`` for answers or a template that are wrong.
    """
    about = is_data(project, ref)
    found: Form | Path
    if template is not None and template.endswith(".md"):
        found = Path(template)
    else:
        found = form(template or ("datasheet" if about else "card"), "data" if about else "model")
    return fill(_of_data(project, ref) if about else _of_model(project, ref), found)


def is_data(project: Project, ref: str) -> bool:
    """Whether the reference is of a dataset."""
    name = ref.partition("@")[0]
    if name in project.settings.models:
        return False
    with project.yard.read() as facts:
        return name in project.settings.data or facts.datasets.latest(name) is not None


def page(document: Document) -> str:
    """The document as one self-contained page."""
    from modelyard.render.documents import page as rendered

    many = len(document.open)
    note = (
        "Every question is answered."
        if not many
        else f"{many} {'question is' if many == 1 else 'questions are'} open."
    )
    return rendered(document.body, title=document.title, ref=document.ref, note=note)


def begin(project: Project, ref: str) -> Path:
    """Begin the file of answers with every question in it, to be edited; ``Misuse`` where there is one."""
    name = ref.partition("@")[0]
    about = is_data(project, ref)
    if not about:
        project.model(name)
    path = cards.path(project.root, name)
    if path.exists():
        raise Misuse(f"{path} is there already; 'modelyard card {name} --open' lists what it leaves open.")
    return written(path, _stub(name, DATA if about else MODEL))


def attest(project: Project, ref: str) -> Package:
    """Put the model card as it is now beside the package, with a bill of materials and provenance that name it.

    On record. The package and its digest stay as they are.
    """
    if is_data(project, ref):
        raise Misuse(f"{ref} is data; only a model's package has a card beside it.")
    package = located(project, ref)
    report, digest = _report(project, package, ref)
    materialised(project, package.digest)
    done = attested(project, package, report, digest)

    def save(facts: Facts) -> Package:
        found = merged(facts.packages.get(done.digest), done)
        facts.packages.put(found)
        facts.events.append(
            "package.attested", f"{done.model}@run/{done.run}", package=done.digest, card=done.card or ""
        )
        return found

    return project.yard.once(fresh("attest"), project.actor, save, Package)


def _of_model(project: Project, ref: str) -> ModelFacts:
    from modelyard.predictor.verify import decode

    package = located(project, ref)
    report, _ = _report(project, package, ref)
    with project.yard.read() as facts:
        version = facts.versions.by_package(package.model, package.digest)
    return model_facts(
        project,
        package,
        decode(project.artifacts.get(package.digest), f"The manifest of package {package.digest[:12]}"),
        report=report,
        ref=version.ref if version else f"{package.model}@{package.digest}",
        version=version,
    )


def _report(project: Project, package: Package, ref: str) -> tuple[Report, str]:
    if package.report is None:
        raise GateFailed(f"{ref} was not tested yet; run 'modelyard evaluate {ref}' first.")
    return stored_report(project, package.report), package.report


def _of_data(project: Project, ref: str) -> DataFacts:
    from modelyard.data import describe

    version = dataset_version(project, ref)
    with project.yard.read() as facts:
        models = [v.ref for v in facts.versions.list() if v.dataset == version.ref]
        earlier = [v for v in facts.datasets.list(version.dataset) if v.number < version.number]
    return DataFacts(
        project=project.settings.project.name,
        ref=version.ref,
        version=version,
        report=describe(version, profile(project, version)),
        models=tuple(models),
        earlier=tuple(earlier),
        answers=data_answers(project, version.dataset),
        modelyard=modelyard.__version__,
    )


def _stub(name: str, questions: dict[str, str]) -> str:
    lines = [
        f"# Answers for the documents about '{name}'; 'modelyard card {name}' puts them where they belong.",
        "# Each is Markdown. One that is left out is marked as open.",
        "",
        '# license = "mit"',
        "",
        "[answers]",
    ]
    for key, question in questions.items():
        lines += ["", f"# {question}", f'# {key} = """', '# """']
    return "\n".join(lines) + "\n"
