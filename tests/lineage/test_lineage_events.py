"""Events have OpenLineage's form, key by key, and one id from their start to their end."""

from __future__ import annotations

import datetime as dt
import uuid
from pathlib import Path
from typing import Any, Literal

import msgspec
import pytest

from modelyard.lineage import Happened, of_data, of_package, of_service, of_source, run_event
from modelyard.records.datareport import ColumnReport, DataReport
from modelyard.records.dataset import SourceFile
from modelyard.records.package import Layout, Manifest, PackagedFile
from modelyard.records.schema import Column, RowRule, Schema
from modelyard.testing import samples

SPACE = "modelyard://screening"
SCHEMA = Schema(
    columns=(
        Column(name="age", kind="integer", declared=("range", "nullable"), description="in years"),
        Column(name="sex", kind="string", warned=("categories",)),
        Column(name="name", kind="string", personal=True),
        Column(name="weight", kind="float", personal=True),
        Column(name="ill", kind="string"),
    ),
    target="ill",
    rules=(RowRule(name="old enough", check="age > 17", severity="warn"),),
)


class Facet(
    msgspec.Struct, rename={"producer": "_producer", "schema_url": "_schemaURL"}, forbid_unknown_fields=True
):
    producer: str
    schema_url: str


class Field(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    type: str
    description: str = ""


class SchemaFacet(Facet, forbid_unknown_fields=True):
    fields: list[Field]


class VersionFacet(Facet, forbid_unknown_fields=True):
    datasetVersion: str  # noqa: N815


class Counted(msgspec.Struct, forbid_unknown_fields=True, omit_defaults=True):
    nullCount: int  # noqa: N815
    count: int
    distinctCount: int | None = None  # noqa: N815
    min: float | None = None
    max: float | None = None
    quantiles: dict[str, float] = {}


class MetricsFacet(Facet, forbid_unknown_fields=True):
    rowCount: int  # noqa: N815
    columnMetrics: dict[str, Counted]  # noqa: N815
    fileCount: int | None = None  # noqa: N815


class Assertion(msgspec.Struct, forbid_unknown_fields=True):
    assertion: str
    success: bool
    column: str = ""
    severity: Literal["error", "warn"] = "error"
    name: str = ""
    content: str = ""
    contentType: str = ""  # noqa: N815


class AssertionsFacet(Facet, forbid_unknown_fields=True):
    assertions: list[Assertion]


class StatisticsFacet(Facet, forbid_unknown_fields=True):
    rowCount: int | None = None  # noqa: N815
    size: int | None = None
    fileCount: int | None = None  # noqa: N815


class DatasetFacets(msgspec.Struct, forbid_unknown_fields=True):
    version: VersionFacet
    schema: SchemaFacet | None = None
    dataQualityMetrics: MetricsFacet | None = None  # noqa: N815
    dataQualityAssertions: AssertionsFacet | None = None  # noqa: N815


class InputFacets(msgspec.Struct, forbid_unknown_fields=True):
    dataQualityMetrics: MetricsFacet  # noqa: N815
    dataQualityAssertions: AssertionsFacet  # noqa: N815


class OutputFacets(msgspec.Struct, forbid_unknown_fields=True):
    outputStatistics: StatisticsFacet  # noqa: N815


class Input(msgspec.Struct, forbid_unknown_fields=True):
    namespace: str
    name: str
    facets: DatasetFacets | None = None
    inputFacets: InputFacets | None = None  # noqa: N815


class Output(msgspec.Struct, forbid_unknown_fields=True):
    namespace: str
    name: str
    facets: DatasetFacets
    outputFacets: OutputFacets | None = None  # noqa: N815


class Engine(Facet, forbid_unknown_fields=True):
    version: str
    name: str
    openlineageAdapterVersion: str  # noqa: N815


class Parameter(msgspec.Struct, forbid_unknown_fields=True):
    key: str
    value: str


class Parameters(Facet, forbid_unknown_fields=True):
    parameters: list[Parameter]


class ErrorFacet(Facet, forbid_unknown_fields=True):
    message: str
    programmingLanguage: str  # noqa: N815


class RunFacets(msgspec.Struct, forbid_unknown_fields=True):
    processing_engine: Engine
    executionParameters: Parameters | None = None  # noqa: N815
    errorMessage: ErrorFacet | None = None  # noqa: N815


class Run(msgspec.Struct, forbid_unknown_fields=True):
    runId: uuid.UUID  # noqa: N815
    facets: RunFacets


class JobType(Facet, forbid_unknown_fields=True):
    processingType: Literal["BATCH"]  # noqa: N815
    integration: str
    jobType: str  # noqa: N815


class CodeFacet(Facet, forbid_unknown_fields=True):
    type: Literal["git"]
    url: str
    version: str


class JobFacets(msgspec.Struct, forbid_unknown_fields=True):
    jobType: JobType  # noqa: N815
    sourceCodeLocation: CodeFacet | None = None  # noqa: N815


class Job(msgspec.Struct, forbid_unknown_fields=True):
    namespace: str
    name: str
    facets: JobFacets


class RunEvent(msgspec.Struct, forbid_unknown_fields=True):
    """As the specification 2-0-2 has it, with the facets that are sent."""

    eventType: Literal["START", "COMPLETE", "FAIL", "ABORT"]  # noqa: N815
    eventTime: dt.datetime  # noqa: N815
    run: Run
    job: Job
    inputs: list[Input]
    outputs: list[Output]
    producer: str
    schemaURL: Literal["https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent"]  # noqa: N815


def read(event: dict[str, Any]) -> RunEvent:
    found = msgspec.json.decode(msgspec.json.encode(event), type=RunEvent)
    assert found.eventTime.tzinfo is not None
    return found


def report() -> DataReport:
    version = samples.dataset(schema=SCHEMA)
    column = {"rows": 100, "missing": 3, "distinct": 9}
    return DataReport(
        dataset=version.ref,
        digest=version.digest,
        created=version.created,
        rows=100,
        test_rows=20,
        target="ill",
        key=(),
        split=version.split,
        sources=(),
        columns=(
            ColumnReport(
                name="age",
                kind="integer",
                role="feature",
                minimum=18,
                maximum=90,
                quantiles={"5 %": 20.0},
                **column,
            ),
            ColumnReport(name="sex", kind="string", role="feature", **column),
            ColumnReport(name="name", kind="string", role="feature", personal=True, **column),
            ColumnReport(
                name="weight",
                kind="float",
                role="feature",
                personal=True,
                minimum=1,
                distinct_is_least=True,
                **column,
            ),
        ),
    )


def happened(**fields: Any) -> Happened:
    return Happened("train", "screening", namespace=SPACE, modelyard="0.1", **fields)


def manifest() -> Manifest:
    return Manifest(
        model="screening",
        task="binary",
        form="onnx",
        frame="pandas",
        schema=SCHEMA,
        layout=Layout(numbers=(), texts=()),
        requirements=(),
        python="3.11.7",
        files=(
            PackagedFile(path="a", size=7, sha256="0" * 64),
            PackagedFile(path="b", size=5, sha256="1" * 64),
        ),
    )


def test_a_run_has_one_id_and_its_inputs_and_outputs() -> None:
    marks = {"sex: categories": 2, "rule old enough": 1}
    version = samples.dataset(schema=SCHEMA, marks=marks, parts=("a", "b"))
    what = happened(id="r1", parameters={"C": 1.5, "seed": 7}, code=("https://git.example/x.git", "a" * 40))
    what.inputs.append(of_data(version, report(), namespace=SPACE, made=False))
    what.outputs.append(of_package(manifest(), samples.digest("p"), namespace=SPACE, made=True))
    start, end = (read(run_event(what, moment, at=samples.NOON)) for moment in ("START", "COMPLETE"))
    assert (
        start.run.runId
        == end.run.runId
        == read(run_event(happened(id="r1"), "START", at=samples.NOON)).run.runId
    )
    assert start.run.runId != read(run_event(happened(id="r2"), "START", at=samples.NOON)).run.runId
    assert happened().run_id != happened().run_id
    assert (start.outputs, len(end.outputs), len(start.inputs)) == ([], 1, 1)
    assert start.job.name == "train.screening"
    assert start.run.facets.executionParameters is not None
    assert [(p.key, p.value) for p in start.run.facets.executionParameters.parameters] == [
        ("C", "1.5"),
        ("seed", "7"),
    ]
    assert start.job.facets.sourceCodeLocation is not None
    assert start.job.facets.sourceCodeLocation.version == "a" * 40
    output = end.outputs[0]
    assert (output.name, output.facets.version.datasetVersion) == ("models/screening", samples.digest("p"))
    assert output.outputFacets is not None
    assert (output.outputFacets.outputStatistics.size, output.outputFacets.outputStatistics.fileCount) == (
        12,
        2,
    )


@pytest.mark.parametrize("made", [False, True])
def test_data_tells_what_was_counted_and_what_was_held(made: bool) -> None:
    marks = {"sex: categories": 2, "rule old enough": 1}
    version = samples.dataset(schema=SCHEMA, marks=marks)
    what = happened()
    (what.outputs if made else what.inputs).append(of_data(version, report(), namespace=SPACE, made=made))
    event = read(run_event(what, "COMPLETE", at=samples.NOON))
    if made:
        facets = event.outputs[0].facets
        metrics, assertions = facets.dataQualityMetrics, facets.dataQualityAssertions
    else:
        inputs = event.inputs[0].inputFacets
        assert inputs is not None
        metrics, assertions = inputs.dataQualityMetrics, inputs.dataQualityAssertions
    assert metrics is not None
    assert assertions is not None
    assert metrics.columnMetrics["age"] == Counted(
        nullCount=3, count=97, distinctCount=9, min=18, max=90, quantiles={"0.05": 20.0}
    )
    assert metrics.columnMetrics["weight"] == Counted(nullCount=3, count=97)  # about a person: counts alone
    held = {(a.column or a.name, a.assertion): (a.success, a.severity) for a in assertions.assertions}
    assert held == {
        ("age", "range"): (True, "error"),
        ("age", "not_null"): (True, "error"),
        ("sex", "categories"): (False, "warn"),
        ("old enough", "expression"): (False, "warn"),
    }


def test_sources_and_services_have_names(tmp_path: Path) -> None:
    files = [
        SourceFile(path="data/a.csv", size=1, sha256="ab" * 32),
        SourceFile(path="s3://bucket/key/a.parquet", size=1, sha256=""),
        SourceFile(path="https://host:8443/a.csv?x=1", size=1, sha256="", mark="etag"),
    ]
    what = happened(inputs=[of_source(file, tmp_path) for file in files])
    what.outputs.append(of_service("prod", "screening", 7, namespace=SPACE))
    event = read(run_event(what, "COMPLETE", at=samples.NOON))
    assert [(i.namespace, i.name) for i in event.inputs] == [
        ("file", str(tmp_path / "data/a.csv")),
        ("s3://bucket", "key/a.parquet"),
        ("https://host:8443", "a.csv"),
    ]
    assert event.inputs[1].facets is None
    assert event.outputs[0].name == "services/prod/screening"


def test_an_end_that_failed_says_why() -> None:
    event = read(run_event(happened(), "FAIL", at=samples.NOON, error="no " * 5000))
    assert event.run.facets.errorMessage is not None
    assert len(event.run.facets.errorMessage.message) == 2000
