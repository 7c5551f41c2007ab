"""Data, packages and services as OpenLineage's datasets."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from modelyard.lineage.facets import facet
from modelyard.records.datareport import ColumnReport, DataReport
from modelyard.records.dataset import DatasetVersion, SourceFile
from modelyard.records.package import Manifest
from modelyard.records.schema import Column, Schema

_NAMES = {"nullable": "not_null", "kind": "type"}


def of_data(version: DatasetVersion, report: DataReport, *, namespace: str, made: bool) -> dict[str, Any]:
    """A version of a dataset, as what a run read or ``made``: schema, version, what was counted and what was held."""
    metrics = {
        "rowCount": version.rows,
        "fileCount": len(version.parts) or None,
        "columnMetrics": {column.name: _metrics(column) for column in report.columns},
    }
    assertions = facet("DataQualityAssertionsDatasetFacet", assertions=_assertions(version))
    told: dict[str, Any] = {
        "namespace": namespace,
        "name": f"data/{version.dataset}",
        "facets": {
            "schema": _schema(version.schema),
            "version": facet("DatasetVersionDatasetFacet", datasetVersion=f"{version.number}"),
        },
    }
    if made:
        told["facets"]["dataQualityMetrics"] = facet("DataQualityMetricsDatasetFacet", **metrics)
        told["facets"]["dataQualityAssertions"] = assertions
        told["outputFacets"] = {
            "outputStatistics": facet(
                "OutputStatisticsOutputDatasetFacet",
                rowCount=version.rows,
                fileCount=len(version.parts) or None,
            )
        }
    else:
        told["inputFacets"] = {
            "dataQualityMetrics": facet("DataQualityMetricsInputDatasetFacet", **metrics),
            "dataQualityAssertions": assertions,
        }
    return told


def of_source(file: SourceFile, root: Path) -> dict[str, Any]:
    """A file or address that rows came from; its version is its content's sha256, or what else tells a change."""
    parts = urlsplit(file.path)
    if parts.scheme and parts.netloc:
        namespace, name = f"{parts.scheme}://{parts.netloc}", parts.path.lstrip("/") or "/"
    else:
        namespace, name = "file", str((root / file.path).absolute())
    told: dict[str, Any] = {"namespace": namespace, "name": name}
    if mark := file.sha256 or file.mark:
        told["facets"] = {"version": facet("DatasetVersionDatasetFacet", datasetVersion=mark)}
    return told


def of_package(manifest: Manifest, digest: str, *, namespace: str, made: bool) -> dict[str, Any]:
    """A package, by its digest; its schema is that of its inputs."""
    told: dict[str, Any] = {
        "namespace": namespace,
        "name": f"models/{manifest.model}",
        "facets": {
            "schema": _schema(manifest.schema),
            "version": facet("DatasetVersionDatasetFacet", datasetVersion=digest),
        },
    }
    if made:
        told["outputFacets"] = {
            "outputStatistics": facet(
                "OutputStatisticsOutputDatasetFacet",
                size=sum(file.size for file in manifest.files),
                fileCount=len(manifest.files),
            )
        }
    return told


def of_service(environment: str, model: str, version: int, *, namespace: str) -> dict[str, Any]:
    """What answers for the model in the environment."""
    return {
        "namespace": namespace,
        "name": f"services/{environment}/{model}",
        "facets": {"version": facet("DatasetVersionDatasetFacet", datasetVersion=str(version))},
    }


def _schema(schema: Schema) -> dict[str, Any]:
    return facet("SchemaDatasetFacet", fields=[_field(column) for column in schema.columns])


def _field(column: Column) -> dict[str, str]:
    told = {"name": column.name, "type": column.kind, "description": column.description}
    return {key: value for key, value in told.items() if value is not None}


def _metrics(column: ColumnReport) -> dict[str, Any]:
    """Of a column about a person only counts."""
    told: dict[str, Any] = {
        "nullCount": column.missing,
        "count": column.rows - column.missing,
        "distinctCount": None if column.distinct_is_least else column.distinct,
    }
    if column.kind in ("integer", "float") and not column.personal:
        told |= {"min": column.minimum, "max": column.maximum}
        told["quantiles"] = {
            f"{float(name.rstrip('% ')) / 100:g}": value for name, value in column.quantiles.items()
        } or None
    return {key: value for key, value in told.items() if value is not None}


def _assertions(version: DatasetVersion) -> list[dict[str, Any]]:
    """What a person declared, and whether each row held to it. What refuses a row was held by all there are."""
    found = []
    for column in version.schema.columns:
        for severity, rules in (("error", column.declared), ("warn", column.warned)):
            for rule in rules:
                found.append(
                    {
                        "assertion": _NAMES.get(rule, rule),
                        "success": not version.marks.get(f"{column.name}: {rule}"),
                        "column": column.name,
                        "severity": severity,
                    }
                )
    for row in version.schema.rules:
        found.append(
            {
                "assertion": "expression",
                "name": row.name,
                "success": not version.marks.get(f"rule {row.name}"),
                "severity": row.severity,
                "content": row.check,
                "contentType": "expression",
            }
        )
    return found
