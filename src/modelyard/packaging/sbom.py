"""What a model is made of, as CycloneDX 1.6 with a model card."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

import msgspec

from modelyard.records.dataset import DatasetVersion
from modelyard.records.package import Manifest
from modelyard.records.report import Metric, Report
from modelyard.records.run import Run

_TOLD = 8
"""Groups and slices that are told each."""
_ANSWERED = {
    "users": ("users",),
    "useCases": ("direct_use", "downstream_use"),
    "technicalLimitations": ("limitations",),
    "ethicalConsiderations": ("ethics", "risks", "bias"),
}
"""The card's questions that say it."""


def sbom(
    manifest: Manifest,
    digest: str,
    *,
    run: Run,
    data: DatasetVersion | None,
    report: Report,
    modelyard: str,
    answers: Mapping[str, str],
    hashes: Mapping[str, tuple[str, ...]],
    unlocked: str = "",
) -> bytes:
    """The JSON of a bill of materials of the package ``digest``; the same records give the same bytes.

    The model's metrics, slices and groups are those of ``report``. ``data`` is what it was trained on, where the
    yard knows it. ``answers`` are what people said by the id of a question of the model card; properties of the card
    named ``modelyard:open`` say what nobody answered. ``hashes`` are the sha256 of the files of each of the manifest's
    requirements, and ``unlocked`` why some have none.
    """
    model, dataset = f"model:{digest}", f"data:{run.dataset}"
    needed = {_purl(requirement): requirement for requirement in manifest.requirements}
    document: dict[str, Any] = {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, f'modelyard:{digest}:{report.created}')}",
        "version": 1,
        "metadata": {
            "timestamp": f"{report.created:%Y-%m-%dT%H:%M:%SZ}",
            "tools": {"components": [{"type": "application", "name": "modelyard", "version": modelyard}]},
            "component": {
                "type": "machine-learning-model",
                "bom-ref": model,
                "name": manifest.model,
                "version": digest[:12],
                "hashes": [{"alg": "SHA-256", "content": digest}],
                "properties": _properties(
                    form=manifest.form,
                    python=manifest.python,
                    run=run.id,
                    commit=run.code.commit,
                    code=run.code.digest,
                    unlocked=unlocked or None,
                ),
                "modelCard": _card(manifest, run, report, dataset, answers),
            },
        },
        "components": [
            _data(run, data, dataset, manifest),
            *(
                _library(purl, requirement, hashes.get(requirement, ()))
                for purl, requirement in sorted(needed.items())
            ),
        ],
        "dependencies": [
            {"ref": model, "dependsOn": sorted([dataset, *needed])},
            *({"ref": ref} for ref in sorted([dataset, *needed])),
        ],
    }
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


def _card(
    manifest: Manifest, run: Run, report: Report, dataset: str, answers: Mapping[str, str]
) -> dict[str, Any]:
    told = "regression" if manifest.task == "regression" else f"{manifest.task} classification"
    outputs = (
        ["number"]
        if manifest.task == "regression"
        else [
            f"{'any' if manifest.task == 'multilabel' else 'one'} of {', '.join(map(str, manifest.classes))}"
        ]
    )
    said = {name: [answers[one] for one in ids if one in answers] for name, ids in _ANSWERED.items()}
    considerations = {
        "users": said["users"],
        "useCases": said["useCases"],
        "ethicalConsiderations": [{"name": text} for text in said["ethicalConsiderations"]],
        "technicalLimitations": [*_limits(report), *said["technicalLimitations"]],
        "fairnessAssessments": list(_fairness(report)),
    }
    return {
        "modelParameters": {
            "approach": {"type": "supervised"},
            "task": told,
            "datasets": [{"ref": dataset}],
            "inputs": [{"format": f"{c.name}: {c.kind}"} for c in manifest.schema.features],
            "outputs": [{"format": text} for text in outputs],
        },
        "quantitativeAnalysis": {"performanceMetrics": list(_metrics(report))},
        "considerations": {name: value for name, value in considerations.items() if value},
        "properties": [
            *_properties(**{f"parameter:{name}": value for name, value in sorted(run.params.items())}),
            *({"name": "modelyard:open", "value": name} for name, texts in said.items() if not texts),
        ],
    }


def _metrics(report: Report) -> Iterator[dict[str, Any]]:
    for metric in report.metrics:
        yield _figure(metric)
    for part in report.slices:
        for metric in part.metrics:
            yield _figure(metric, f"{part.column}: {part.label} ({part.rows} rows)")


def _figure(metric: Metric, part: str | None = None) -> dict[str, Any]:
    told: dict[str, Any] = {"type": metric.name, "value": f"{metric.value:.6g}"}
    if part:
        told["slice"] = part
    told["confidenceInterval"] = {"lowerBound": f"{metric.low:.6g}", "upperBound": f"{metric.high:.6g}"}
    return told


def _limits(report: Report) -> Iterator[str]:
    yield f"Measured on {report.rows} rows of the test split of {report.dataset}, and nowhere else."
    for weak in (report.search.found if report.search else ())[:_TOLD]:
        where = " and ".join(f"{condition.column}: {condition.label}" for condition in weak.where)
        yield f"Weaker where {where}: mean loss {weak.loss:.3g} against {weak.loss_elsewhere:.3g} elsewhere."


def _fairness(report: Report) -> Iterator[dict[str, str]]:
    for one in report.fairness:
        for gap in one.gaps[:_TOLD]:
            yield {
                "groupAtRisk": f"{one.column}: {gap.least}",
                "harms": f"{gap.rate} is {gap.gap:.3g} [{gap.low:.3g}, {gap.high:.3g}] below that of {gap.most}.",
            }


def _data(run: Run, data: DatasetVersion | None, ref: str, manifest: Manifest) -> dict[str, Any]:
    name, _, number = run.dataset.partition("@")
    sources = [
        {"type": "other", "url": quote(source.path, safe="/:@?&=%#.,+~()"), "comment": f"{source.size} bytes"}
        | ({"hashes": [{"alg": "SHA-256", "content": source.sha256}]} if source.sha256 else {})
        for source in (data.sources if data else ())
    ]
    columns = ", ".join(f"{c.name} ({c.kind})" for c in manifest.schema.columns)
    rows = f"{data.rows} rows, {data.test_rows} of them held back; " if data else ""
    made: dict[str, Any] = {
        "type": "data",
        "bom-ref": ref,
        "name": name,
        "version": number,
        "description": f"{rows}columns {columns}",
        "data": [{"type": "dataset", "name": run.dataset}],
    }
    if re.fullmatch(r"[0-9a-f]{64}", run.dataset_digest):
        made["hashes"] = [{"alg": "SHA-256", "content": run.dataset_digest}]
    if sources:
        made["externalReferences"] = sources
    return made


def _library(purl: str, requirement: str, hashes: tuple[str, ...]) -> dict[str, Any]:
    name, _, version = requirement.partition("==")
    made: dict[str, Any] = {
        "type": "library",
        "bom-ref": purl,
        "name": name,
        "version": version,
        "purl": purl,
    }
    if hashes:  # of several files, each for another platform, so none is the component's own
        files = [{"alg": "SHA-256", "content": one} for one in hashes]
        made["externalReferences"] = [{"type": "distribution", "url": purl, "hashes": files}]
    return {key: value for key, value in made.items() if value}


def _purl(requirement: str) -> str:
    name, _, version = requirement.partition("==")
    plain = re.sub(r"[-_.]+", "-", name).lower()
    return f"pkg:pypi/{plain}" + (f"@{quote(version, safe='')}" if version else "")


def _properties(**values: object) -> list[dict[str, str]]:
    return [
        {"name": f"modelyard:{name}", "value": str(value)}
        for name, value in values.items()
        if value is not None
    ]
