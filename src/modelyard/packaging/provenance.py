"""How a package came to be, as SLSA v1 provenance in a signed DSSE envelope."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import msgspec

from modelyard.errors import Untrusted
from modelyard.records.run import Run
from modelyard.records.trust import Trust
from modelyard.signing import PublicKey, Signer, attest, attested

PROVENANCE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = "https://github.com/modelyard/modelyard/blob/main/docs/packages.md#training"


class _Byproduct(msgspec.Struct):
    name: str
    digest: dict[str, str]


class _Details(msgspec.Struct):
    byproducts: tuple[_Byproduct, ...] = ()


class _Predicate(msgspec.Struct, rename="camel"):
    run_details: _Details


def provenance(
    digest: str,
    *,
    run: Run,
    settings: Mapping[str, Any],
    lock: str | None,
    byproducts: Mapping[str, str],
    modelyard: str,
    signer: Signer,
) -> bytes:
    """A signed statement on the package ``digest``: what it was made of, and by what.

    ``settings`` are those of the model as they were resolved, ``lock`` the sha256 of its locked requirements,
    ``byproducts`` the sha256 of what was made beside it, by name.
    """
    name, _, number = run.dataset.partition("@")
    sources: list[dict[str, Any]] = [
        {"name": "code", "uri": "modelyard:code", "digest": {"sha256": run.code.digest}}
    ]
    if run.dataset_digest:  # unknown of what was trained elsewhere
        held = {"sha256": run.dataset_digest}
        sources.insert(0, {"name": run.dataset, "uri": f"modelyard:data/{name}/{number}", "digest": held})
    if run.code.commit:
        changed = {"changed": "the working folder had uncommitted changes"} if run.code.dirty else {}
        sources.append({"name": "git", "digest": {"gitCommit": run.code.commit}, "annotations": changed})
    if lock:
        sources.append({"name": "requirements", "digest": {"sha256": lock}})
    predicate = {
        "buildDefinition": {
            "buildType": BUILD_TYPE,
            "externalParameters": {
                "model": run.model,
                "data": run.dataset,
                "seed": run.seed,
                "parameters": run.params,
                "settings": settings,
            },
            "internalParameters": {"environment": run.environment},
            "resolvedDependencies": sources,
        },
        "runDetails": {
            "builder": {"id": f"modelyard:key/{signer.public.id}", "version": {"modelyard": modelyard}},
            "metadata": {
                "invocationId": run.id,
                "startedOn": _moment(run.started),
                "finishedOn": _moment(run.started + dt.timedelta(seconds=run.seconds)),
            },
            "byproducts": [
                {"name": name, "digest": {"sha256": value}} for name, value in sorted(byproducts.items())
            ],
        },
    }
    return attest({run.model: digest}, PROVENANCE, predicate=predicate, signer=signer, bundle=False)


def told(content: bytes, digest: str, *, trust: Trust, what: str) -> tuple[dict[str, str], PublicKey]:
    """The byproducts (name to sha256) of a provenance on the package ``digest``, and the trusted key that signed it.

    Raises ``Untrusted``.
    """
    statement, key = attested(content, PROVENANCE, trust=trust, what=what)
    if [subject.digest.get("sha256") for subject in statement.subject] != [digest]:
        raise Untrusted(f"{what} is of another package.")
    try:
        details = msgspec.json.decode(statement.predicate, type=_Predicate).run_details
    except msgspec.MsgspecError as error:
        raise Untrusted(f"{what} is no SLSA provenance: {error}.") from None
    return {one.name: one.digest.get("sha256", "") for one in details.byproducts}, key


def _moment(time: dt.datetime) -> str:
    return f"{time.astimezone(dt.UTC):%Y-%m-%dT%H:%M:%SZ}"
