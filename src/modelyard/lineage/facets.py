"""Facets of OpenLineage, each with the address of its schema."""

from __future__ import annotations

from typing import Any

PRODUCER = "https://github.com/modelyard/modelyard"
EVENT = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"
_VERSIONS = {
    "SchemaDatasetFacet": "1-2-0",
    "DatasetVersionDatasetFacet": "1-0-1",
    "DataQualityMetricsDatasetFacet": "1-0-1",
    "DataQualityMetricsInputDatasetFacet": "1-0-3",
    "DataQualityAssertionsDatasetFacet": "1-1-0",
    "OutputStatisticsOutputDatasetFacet": "1-0-2",
    "JobTypeJobFacet": "2-0-4",
    "SourceCodeLocationJobFacet": "1-1-0",
    "ProcessingEngineRunFacet": "1-1-1",
    "ExecutionParametersRunFacet": "1-0-0",
    "ErrorMessageRunFacet": "1-0-1",
}


def facet(name: str, /, **fields: Any) -> dict[str, Any]:
    """A facet of that schema; a field that is None is left out."""
    where = f"https://openlineage.io/spec/facets/{_VERSIONS[name]}/{name}.json#/$defs/{name}"
    told = {key: value for key, value in fields.items() if value is not None}
    return {"_producer": PRODUCER, "_schemaURL": where, **told}
