"""JSON Schemas of requests and answers, typed from a model's own schema."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from modelyard.records.package import Label, Manifest
from modelyard.records.schema import Column, Schema
from modelyard.wire.inference import DATATYPES

_TYPES: dict[str, dict[str, Any]] = {
    "integer": {"type": "integer"},
    "float": {"type": "number"},
    "boolean": {"type": "boolean"},
    "string": {"type": "string"},
    "date": {"type": "string", "format": "date"},
    "datetime": {"type": "string", "format": "date-time"},
}
PREDICTIONS = {
    "type": "object",
    "required": ["predictions"],
    "properties": {"predictions": {"type": "array", "minItems": 1}},
}
INFERRED = {
    "type": "object",
    "required": ["model_name", "model_version", "outputs"],
    "properties": {"outputs": {"type": "array", "items": {"required": ["name", "datatype", "shape"]}}},
}

KEPT = {
    "type": "object",
    "required": ["status", "model", "accepted"],
    "properties": {
        "status": {"const": "ok"},
        "model": {"type": "string"},
        "accepted": {"type": "integer"},
    },
}


def row(schema: Schema, *, strict: bool = True) -> dict[str, Any]:
    """One row: every feature, and where it is ``strict`` nothing else."""
    described: dict[str, Any] = {
        "type": "object",
        "required": [c.name for c in schema.features],
        "properties": {c.name: _column(c) for c in schema.features},
    }
    return described | {"additionalProperties": False} if strict else described


def invocation(schema: Schema) -> dict[str, Any]:
    """MLflow's four forms."""
    columns = [c.name for c in schema.features]
    split = {
        "type": "object",
        "required": ["columns", "data"],
        "properties": {"columns": {"const": columns}, "data": _many(_listed(schema))},
    }
    given = {"dataframe_split": split, "dataframe_records": _rows(schema)}
    given |= {"instances": _rows(schema), "inputs": _rows(schema)}
    params: dict[str, Any] = {"params": {"enum": [None, {}]}}
    return {
        "oneOf": [
            {
                "type": "object",
                "required": [form],
                "additionalProperties": False,
                "properties": {form: described, **params},
            }
            for form, described in given.items()
        ]
    }


def instances(schema: Schema) -> dict[str, Any]:
    """KServe's V1."""
    return {"type": "object", "required": ["instances"], "properties": {"instances": _rows(schema)}}


def inference(schema: Schema, outputs: Sequence[str]) -> dict[str, Any]:
    """The Open Inference Protocol's V2: one tensor a column. What no schema can say is that all are equally long."""
    tensors = [
        {
            "type": "object",
            "required": ["name", "shape", "datatype", "data"],
            "properties": {
                "name": {"const": c.name},
                "shape": {
                    "type": "array",
                    "items": {"type": "integer", "minimum": 1},
                    "minItems": 1,
                    "maxItems": 2,
                },
                "datatype": {"const": DATATYPES.get(c.kind, "BYTES")},
                "data": _many(_column(c)),
            },
        }
        for c in schema.features
    ]
    wanted = {"type": "object", "required": ["name"], "properties": {"name": {"enum": list(outputs)}}}
    return {
        "type": "object",
        "required": ["inputs"],
        "properties": {
            "id": {"type": "string"},
            "inputs": {
                "type": "array",
                "prefixItems": tensors,
                "items": False,
                "minItems": len(tensors),
                "maxItems": len(tensors),
            },
            "outputs": {"type": "array", "items": wanted},
        },
    }


def _rows(schema: Schema) -> dict[str, Any]:
    return {"anyOf": [_many(row(schema, strict=False)), _many(_listed(schema))]}


def _listed(schema: Schema) -> dict[str, Any]:
    cells = [_column(c) for c in schema.features]
    return {
        "type": "array",
        "prefixItems": cells,
        "items": False,
        "minItems": len(cells),
        "maxItems": len(cells),
    }


def _many(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "minItems": 1, "items": items}


def _column(column: Column) -> dict[str, Any]:
    described = dict(_TYPES[column.kind])
    if column.kind == "integer":
        described |= {"minimum": -(2**53), "maximum": 2**53}
    if "range" in column.declared:
        if column.minimum is not None:
            described["minimum"] = column.minimum
        if column.maximum is not None:
            described["maximum"] = column.maximum
    if "categories" in column.declared and column.categories is not None:
        described["enum"] = [*column.categories, *([None] if column.nullable else [])]
    if column.nullable:
        described["type"] = [described["type"], "null"]
    return described


def answer(manifest: Manifest) -> dict[str, Any]:
    """The native surface's answer."""
    classes = manifest.classes
    label = _label(classes)
    if manifest.task == "multilabel":
        label = {"type": "array", "items": label, "description": "The labels that hold."}
    properties: dict[str, Any] = {
        "status": {"const": "ok"},
        "model_id": {"type": "string"},
        "request_id": {"type": "string", "description": "What a true outcome joins on."},
        "prediction": {"type": "array", "items": label},
    }
    if classes:
        likely = {
            "type": "array",
            "items": {"type": "number"},
            "minItems": len(classes),
            "maxItems": len(classes),
        }
        properties["probability"] = {"type": "array", "items": likely}
        properties["classes"] = {"type": "array", "items": {"type": _label_type(classes)}}
    if levels := manifest.quantiles:
        each = {
            "type": "array",
            "items": {"type": "number"},
            "minItems": len(levels),
            "maxItems": len(levels),
        }
        properties["quantiles"] = {"type": "array", "items": each}
        properties["levels"] = {"const": list(levels)}
    return {
        "type": "object",
        "required": ["status", "model_id", "request_id", "prediction"],
        "properties": properties,
    }


def outcomes(manifest: Manifest) -> dict[str, Any]:
    """True outcomes: one, or many of them, each by one of two ids."""
    id_ = {"type": "string", "minLength": 1, "maxLength": 200}
    each = [
        {
            "type": "object",
            "required": [name, "outcome"],
            "additionalProperties": False,
            "properties": {
                name: id_ | {"description": said},
                "row": {"type": "integer", "minimum": 0, "maximum": 2**31},
                "outcome": _label(manifest.classes),
                "at": {
                    "type": ["string", "null"],
                    "format": "date-time",
                    "description": "When it came to be true.",
                },
            },
        }
        for name, said in (
            ("request_id", "As the prediction's answer gave it."),
            ("client_id", "The X-Request-Id that the prediction was asked with."),
        )
    ]
    many = {
        "type": "object",
        "required": ["outcomes"],
        "additionalProperties": False,
        "properties": {"outcomes": _many({"oneOf": each})},
    }
    return {"oneOf": [*each, many]}


def _label(classes: Sequence[Label]) -> dict[str, Any]:
    return {"type": _label_type(classes), "enum": list(classes)} if classes else {"type": "number"}


def _label_type(classes: Sequence[Label]) -> str:
    if all(isinstance(c, bool) for c in classes):
        return "boolean"
    return "integer" if all(isinstance(c, int) for c in classes) else "string"
