"""A scan as SARIF 2.1.0, which the forges' security pages read."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import msgspec

import modelyard
from modelyard.records.weakness import Scan, Weakness

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def sarif(scan: Scan) -> bytes:
    """One run with every weakness; what is allowed is there as suppressed, with its reason."""
    every = [*scan.found, *(one.weakness for one in scan.allowed)]
    rules: dict[str, Weakness] = {}
    for weakness in every:
        rules.setdefault(weakness.rule, weakness)
    places = {rule: at for at, rule in enumerate(rules)}
    results = [_result(w, places) for w in scan.found]
    for one in scan.allowed:
        suppression = {"kind": "external", "status": "accepted", "justification": one.reason}
        results.append({**_result(one.weakness, places), "suppressions": [suppression]})
    run: dict[str, Any] = {
        "tool": {
            "driver": {
                "name": "modelyard scan",
                "informationUri": "https://github.com/modelyard/modelyard",
                "semanticVersion": modelyard.__version__,
                "rules": [_rule(w) for w in rules.values()],
            }
        },
        "automationDetails": {"id": "modelyard-scan/"},
        "originalUriBaseIds": {"PROJECT": {"description": {"text": "The project's folder."}}},
        "columnKind": "unicodeCodePoints",
        "invocations": [
            {
                "executionSuccessful": True,
                "endTimeUtc": f"{scan.at:%Y-%m-%dT%H:%M:%SZ}",
                "toolExecutionNotifications": [
                    {"level": "note", "message": {"text": note}} for note in scan.notes
                ],
            }
        ],
        "results": results,
    }
    return msgspec.json.format(
        msgspec.json.encode({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}), indent=2
    )


def _rule(weakness: Weakness) -> dict[str, Any]:
    told: dict[str, Any] = {
        "id": weakness.rule,
        "shortDescription": {"text": f"{weakness.check}: {weakness.rule}"},
        "defaultConfiguration": {"level": weakness.level},
        "properties": {"tags": ["security", weakness.check]},
    }
    return told | ({"helpUri": weakness.help} if weakness.help else {})


def _result(weakness: Weakness, places: dict[str, int]) -> dict[str, Any]:
    artifact = {"uri": quote(weakness.path.encode(errors="surrogateescape")), "uriBaseId": "PROJECT"}
    return {
        "ruleId": weakness.rule,
        "ruleIndex": places[weakness.rule],
        "level": weakness.level,
        "message": {"text": weakness.message},
        "locations": [
            {"physicalLocation": {"artifactLocation": artifact, "region": {"startLine": weakness.line}}}
        ],
        "partialFingerprints": {"modelyard/v1": weakness.fingerprint},
    }
