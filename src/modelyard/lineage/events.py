"""Run events in the form of OpenLineage 2-0-2."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from modelyard.lineage.facets import EVENT, PRODUCER, facet

Moment = Literal["START", "COMPLETE", "FAIL", "ABORT"]
_NAMESPACE = uuid.UUID("2b1f7e3c-5d0a-5c0e-9a57-6a4c0f6a7c11")


@dataclass
class Happened:
    """A run of a verb: one id from its start to its end."""

    verb: str
    subject: str
    namespace: str
    modelyard: str
    id: str = ""
    """The run's id in the yard, where it has one; then the event's is the same whoever makes it."""
    parameters: Mapping[str, object] = field(default_factory=dict)
    code: tuple[str, str] | None = None
    """Address of the repository, and the commit."""
    inputs: list[dict[str, Any]] = field(default_factory=list)
    outputs: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        known = f"{self.namespace} {self.verb} {self.id}"
        self.run_id = str(uuid.uuid5(_NAMESPACE, known) if self.id else uuid.uuid4())


def run_event(what: Happened, moment: Moment, *, at: dt.datetime, error: str = "") -> dict[str, Any]:
    """The event of the run's ``moment``, with its inputs and outputs as far as they are known."""
    run_facets: dict[str, Any] = {
        "processing_engine": facet(
            "ProcessingEngineRunFacet",
            version=what.modelyard,
            name="Modelyard",
            openlineageAdapterVersion=what.modelyard,
        )
    }
    if what.parameters:
        run_facets["executionParameters"] = facet(
            "ExecutionParametersRunFacet", parameters=_parameters(what.parameters)
        )
    if error:
        run_facets["errorMessage"] = facet(
            "ErrorMessageRunFacet", message=error[:2000], programmingLanguage="Python"
        )
    job_facets = {
        "jobType": facet(
            "JobTypeJobFacet", processingType="BATCH", integration="MODELYARD", jobType=what.verb.upper()
        )
    }
    if what.code:
        url, commit = what.code
        job_facets["sourceCodeLocation"] = facet(
            "SourceCodeLocationJobFacet", type="git", url=url, version=commit
        )
    return {
        "eventType": moment,
        "eventTime": at.isoformat(timespec="milliseconds"),
        "run": {"runId": what.run_id, "facets": run_facets},
        "job": {
            "namespace": what.namespace,
            "name": f"{what.verb}.{what.subject}",
            "facets": job_facets,
        },
        "inputs": what.inputs,
        "outputs": what.outputs if moment != "START" else [],
        "producer": PRODUCER,
        "schemaURL": EVENT,
    }


def _parameters(given: Mapping[str, object]) -> Sequence[dict[str, str]]:
    return [{"key": key, "value": str(value)} for key, value in given.items()]
