"""A service's own documentation: an OpenAPI document typed from the schemas, and a page that needs no internet."""

from __future__ import annotations

import functools
import html
from collections.abc import Sequence
from typing import Any

import msgspec

import modelyard
from modelyard.records.schema import Column
from modelyard.serving import forms
from modelyard.serving.live import Live

_ERROR = {
    "type": "object",
    "required": ["status", "error"],
    "properties": {
        "status": {"const": "error"},
        "error": {
            "type": "object",
            "required": ["code", "message"],
            "properties": {
                "code": {"type": "string"},
                "message": {"type": "string"},
                "field": {"type": "string"},
            },
        },
    },
}


@functools.cache
def version() -> str:
    """Modelyard's; a container and a server have its rooms, and no distribution of it."""
    return modelyard.__version__


def openapi(models: Sequence[Live], *, secured: bool) -> bytes:
    """OpenAPI 3.1 of what is served now."""
    paths: dict[str, Any] = {}
    schemas: dict[str, Any] = {"Error": _ERROR}
    for live in models:
        name = live.served.model
        schemas[f"{name}-row"] = forms.row(live.schema)
        schemas[f"{name}-answer"] = forms.answer(live.manifest)
        paths[f"/models/{name}/predict"] = {"post": _predict(live)}
        paths[f"/models/{name}/feedback"] = {"post": _feedback(live)}
        paths[f"/models/{name}/invocations"] = {
            "post": _other(
                "MLflow's scoring forms, JSON or CSV.",
                forms.invocation(live.schema),
                forms.PREDICTIONS,
                "error_code",
            )
        }
        paths[f"/v1/models/{name}:predict"] = {
            "post": _other("KServe V1.", forms.instances(live.schema), forms.PREDICTIONS, "error")
        }
        paths[f"/v2/models/{name}/infer"] = {
            "post": _other(
                "Open Inference Protocol V2, JSON or binary tensors.",
                forms.inference(live.schema, live.outputs),
                forms.INFERRED,
                "error",
            )
        }
    for path, text in (
        ("/health", "Whether the service answers."),
        ("/models", "The models that are served."),
        ("/version", "Modelyard's version."),
        ("/v2", "Open Inference Protocol: the server."),
        ("/v2/models", "Open Inference Protocol: the models."),
        ("/metrics", "Counts for Prometheus."),
    ):
        kind = "text/plain" if path == "/metrics" else "application/json"
        paths[path] = {
            "get": {"summary": text, "responses": {"200": {"description": "OK", "content": {kind: {}}}}}
        }
    document: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {"title": "Predictions", "version": version()},
        "paths": paths,
        "components": {"schemas": schemas},
    }
    if secured:
        document["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{"token": []}]
    return msgspec.json.encode(document)


def _predict(live: Live) -> dict[str, Any]:
    name = live.served.model
    rows = {"type": "array", "minItems": 1, "items": {"$ref": f"#/components/schemas/{name}-row"}}
    body: dict[str, Any] = {
        "schema": {
            "type": "object",
            "required": ["rows"],
            "additionalProperties": False,
            "properties": {"rows": rows},
        }
    }
    if live.example is not None:
        body["example"] = {"rows": [live.example]}
    refusal = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    answer = {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}-answer"}}}
    return {
        "summary": f"Predictions of {live.served.model_id}",
        "operationId": f"predict-{name}",
        "requestBody": {"required": True, "content": {"application/json": body}},
        "responses": {
            "200": {"description": "One prediction a row.", "content": answer},
            "4XX": {"description": "Why the request was refused.", "content": refusal},
            "5XX": {"description": "Why the model could not answer.", "content": refusal},
        },
    }


def _feedback(live: Live) -> dict[str, Any]:
    refusal = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    asked = {"application/json": {"schema": forms.outcomes(live.manifest)}}
    return {
        "summary": "True outcomes, one or many; told again they correct what was told before.",
        "operationId": f"feedback-{live.served.model}",
        "requestBody": {"required": True, "content": asked},
        "responses": {
            "200": {"description": "All are kept.", "content": {"application/json": {"schema": forms.KEPT}}},
            "4XX": {"description": "Why none of them was kept.", "content": refusal},
            "5XX": {"description": "Why none of them could be kept.", "content": refusal},
        },
    }


def _other(text: str, asked: dict[str, Any], answered: dict[str, Any], error: str) -> dict[str, Any]:
    """A surface whose form is a protocol's own."""
    refusal = {"application/json": {"schema": {"type": "object", "required": [error]}}}
    return {
        "summary": text,
        "requestBody": {"required": True, "content": {"application/json": {"schema": asked}}},
        "responses": {
            "200": {
                "description": "The answer in the protocol's form.",
                "content": {"application/json": {"schema": answered}},
            },
            "4XX": {"description": "Why the request was refused.", "content": refusal},
            "5XX": {"description": "Why the model could not answer.", "content": refusal},
        },
    }


def docs(models: Sequence[Live], *, secured: bool) -> bytes:
    """One page: each model's features, an example and a form to try it."""
    parts = [_model(live) for live in models] or ["<p>No model is served here yet.</p>"]
    token = '<label>Token <input id="token" type="password" autocomplete="off"></label>' if secured else ""
    return (_PAGE % (token, "\n".join(parts))).encode()


def _model(live: Live) -> str:
    name = html.escape(live.served.model)
    example = {"rows": [live.example]} if live.example is not None else {"rows": []}
    shown = html.escape(msgspec.json.format(msgspec.json.encode(example), indent=2).decode())
    rows = "".join(
        f"<tr><th scope=row>{html.escape(c.name)}</th><td>{c.kind}</td>"
        f"<td>{'may be null' if c.nullable else ''}</td><td>{html.escape(_rule(c))}</td></tr>"
        for c in live.schema.features
    )
    answers = ", ".join(html.escape(str(label)) for label in live.manifest.classes) or "a number"
    if live.manifest.task == "multilabel":
        answers = f"any of {answers}"
    if levels := live.manifest.quantiles:
        answers = f"its quantiles {', '.join(f'{level:g}' for level in levels)}"
    features = len(live.schema.features)
    return (
        f"<section><h2>{name}</h2><p><code>{html.escape(live.served.model_id)}</code> answers {answers} "
        f"({live.manifest.task}) from {features} features.</p>"
        f'<form class=card data-path="/models/{name}/predict">'
        f"<p><b>POST</b> <code>/models/{name}/predict</code></p>"
        f'<textarea rows="10" spellcheck=false aria-label="Request for {name}">{shown}</textarea>'
        "<button>Send</button><output></output></form>"
        "<div class=card><table><thead><tr><th>feature</th><th>kind</th><th>missing</th><th>declared rule</th>"
        f"</tr></thead><tbody>{rows}</tbody></table></div></section>"
    )


def _rule(column: Column) -> str:
    if "categories" in column.declared and column.categories is not None:
        return ", ".join(column.categories)
    if "range" in column.declared:
        low = "" if column.minimum is None else f"from {column.minimum:g} "
        high = "" if column.maximum is None else f"to {column.maximum:g}"
        return (low + high).strip()
    return ""


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Predictions</title><link rel="icon" href="data:,"><style>
:root{color-scheme:light dark;--ink:#1b1f24;--soft:#57606a;--line:#dfe1e5;--card:#fff;--page:#f7f6f2;--mark:#14568c}
@media (prefers-color-scheme:dark){:root{--ink:#e6e8eb;--soft:#9aa4af;--line:#333a42;--card:#1c2126;--page:#14181c;--mark:#7db8e8}}
body{font:16px/1.55 system-ui,sans-serif;max-width:60rem;margin:0 auto;padding:2.5rem 1.25rem;color:var(--ink);background:var(--page)}
h1,h2{font-family:Georgia,serif;line-height:1.2}h1{font-size:2.4rem;margin:0 0 .5rem}h2{font-size:1.6rem;margin:2.5rem 0 .5rem}
p{margin:.5rem 0}a{color:var(--mark)}code,textarea,output{font:14px/1.45 ui-monospace,monospace;overflow-wrap:anywhere}
.card{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:1rem 1.25rem;margin:1rem 0;overflow-x:auto}
textarea{width:100%%;box-sizing:border-box;border:1px solid var(--line);border-radius:6px;padding:.6rem;background:var(--page);color:inherit;resize:vertical}
output{display:block;white-space:pre-wrap}output:not(:empty){border-top:1px solid var(--line);margin-top:.75rem;padding-top:.75rem}
button{font:inherit;margin-top:.6rem;padding:.4rem 1.4rem;border:0;border-radius:6px;background:var(--mark);color:var(--card);cursor:pointer}
input{font:inherit;padding:.3rem .5rem;border:1px solid var(--line);border-radius:6px;background:var(--card);color:inherit}
table{border-collapse:collapse;width:100%%}td,th{text-align:left;padding:.3rem .75rem .3rem 0;border-bottom:1px solid var(--line);font-weight:400}
thead th{color:var(--soft);font-size:.85rem}tbody tr:last-child>*{border:0}
</style></head><body><h1>Predictions</h1>
<p>For programs: <a href="/openapi.json">/openapi.json</a>, <a href="/v2/models">/v2/models</a>, <a href="/metrics">/metrics</a>.</p>
%s
%s
<script>
for (const form of document.querySelectorAll("form")) form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const headers = {"Content-Type": "application/json"}, token = document.getElementById("token");
  if (token && token.value) headers["Authorization"] = "Bearer " + token.value;
  const out = form.querySelector("output");
  try {
    const reply = await fetch(form.dataset.path, {method: "POST", headers, body: form.querySelector("textarea").value});
    out.textContent = reply.status + "\\n" + JSON.stringify(await reply.json(), null, 2);
  } catch (error) { out.textContent = String(error); }
});
</script></body></html>
"""
