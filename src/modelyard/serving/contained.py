"""``python -m modelyard.serving.contained FOLDER``: the service of an image, whose folder nobody may write to.

``FOLDER`` holds ``plan.json`` and the packages that it names, relative to it. Who may ask is told by a mounted file of
bearer tokens, one a line, since nothing that is secret is in an image:

======================  ==========================================  ===========================
variable                is                                          without it
======================  ==========================================  ===========================
MODELYARD_PLAN          the plan, instead of the image's own        plan.json of the folder
MODELYARD_TOKEN_FILE    accepted tokens, or sha256: and a digest    /run/secrets/modelyard-tokens
MODELYARD_HOST, _PORT   where to listen                             0.0.0.0, 8080
MODELYARD_WORKERS       processes that answer                       as many as cores
MODELYARD_LOG           a folder for the prediction log, a volume   nothing is logged
MODELYARD_LOG_FORM      lines about itself: text or ecs             text
MODELYARD_LOG_REQUESTS  lines of which requests: none, failed, all  none
MODELYARD_TLS_...       _CERTIFICATE, _KEY and _CLIENTS: PEM files  no TLS
======================  ==========================================  ===========================
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import msgspec

from modelyard.records.service import ServicePlan, Telling, Tls
from modelyard.serving.supervisor import Supervisor

TOKENS = "/run/secrets/modelyard-tokens"
_DIGEST = "sha256:"


def main() -> int:
    """0 after a drain; else, with one sentence, 2 for what cannot be and 1 for packages that cannot be served."""
    folder = Path(sys.argv[1] if len(sys.argv) == 2 else "/srv/modelyard").resolve()
    try:
        plan = settled(folder, os.environ)
    except (OSError, ValueError, msgspec.MsgspecError) as error:
        print(f"The service of {folder} cannot start: {error}.", file=sys.stderr, flush=True)
        return 2
    scratch = Path(tempfile.mkdtemp(prefix="modelyard-"))
    written = scratch / "plan.json"
    written.write_bytes(msgspec.json.encode(plan))
    return Supervisor(written, scratch / "state.json", fixed=True).run()


def settled(folder: Path, environ: Mapping[str, str]) -> ServicePlan:
    """The image's plan where this container is. Raises ``OSError``, ``ValueError`` and msgspec's errors."""
    asked = Path(environ.get("MODELYARD_PLAN") or folder / "plan.json")
    plan = msgspec.json.decode(asked.read_bytes(), type=ServicePlan)
    log = environ.get("MODELYARD_LOG")
    certificate, key = environ.get("MODELYARD_TLS_CERTIFICATE"), environ.get("MODELYARD_TLS_KEY")
    if bool(certificate) != bool(key):
        raise ValueError("MODELYARD_TLS_CERTIFICATE and MODELYARD_TLS_KEY are given together or not at all")
    tls = Tls(certificate=certificate, key=key) if certificate and key else None
    return msgspec.structs.replace(
        plan,
        host=environ.get("MODELYARD_HOST", "0.0.0.0"),
        port=int(environ.get("MODELYARD_PORT", "8080")),
        workers=int(environ.get("MODELYARD_WORKERS") or len(os.sched_getaffinity(0))),
        models=tuple(
            msgspec.structs.replace(model, folder=str(folder / model.folder)) for model in plan.models
        ),
        token_sha256=tuple(_digests(Path(environ.get("MODELYARD_TOKEN_FILE", TOKENS)))),
        log=str(Path(log).resolve()) if log else None,
        tls=tls and msgspec.structs.replace(tls, clients=environ.get("MODELYARD_TLS_CLIENTS") or None),
        telling=msgspec.convert(
            {
                "form": environ.get("MODELYARD_LOG_FORM") or plan.telling.form,
                "requests": environ.get("MODELYARD_LOG_REQUESTS") or plan.telling.requests,
            },
            Telling,
        ),
    )


def _digests(path: Path) -> list[str]:
    """Of the tokens; none where there is no file, which only a loopback address accepts. A line may be a digest itself."""
    if not path.exists():
        return []
    tokens = [line.strip() for line in path.read_text().splitlines() if line.strip()]
    return [
        token.removeprefix(_DIGEST)
        if token.startswith(_DIGEST)
        else hashlib.sha256(token.encode()).hexdigest()
        for token in tokens
    ]


if __name__ == "__main__":
    sys.exit(main())
