"""What a container's surroundings say of its service."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from serving_parts import plan_for, serve_numeric

from modelyard.records.service import Tls
from modelyard.serving.contained import settled


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    served = serve_numeric(tmp_path / "packages" / "p")
    plan = plan_for(msgspec.structs.replace(served, folder="packages/p"))
    (tmp_path / "plan.json").write_bytes(msgspec.json.encode(plan))
    return tmp_path


def test_an_image_s_plan_is_filled_in_where_it_runs(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "tokens").write_text("one\n\n two \n")
    plan = settled(
        folder,
        {
            "MODELYARD_PORT": "9000",
            "MODELYARD_WORKERS": "3",
            "MODELYARD_TOKEN_FILE": str(tmp_path / "tokens"),
            "MODELYARD_LOG_FORM": "ecs",
            "MODELYARD_TLS_CERTIFICATE": "/tls/cert.pem",
            "MODELYARD_TLS_KEY": "/tls/key.pem",
            "MODELYARD_TLS_CLIENTS": "/tls/ca.pem",
        },
    )
    assert (plan.host, plan.port, plan.workers, plan.log) == ("0.0.0.0", 9000, 3, None)
    assert [model.folder for model in plan.models] == [str(folder / "packages/p")]
    assert len(plan.token_sha256) == 2
    assert (plan.telling.form, plan.telling.requests) == ("ecs", "none")
    assert plan.tls == Tls(certificate="/tls/cert.pem", key="/tls/key.pem", clients="/tls/ca.pem")
    plain = settled(folder, {"MODELYARD_TOKEN_FILE": "/nowhere"})
    assert (plain.tls, plain.token_sha256, plain.telling.form) == (None, (), "text")


@pytest.mark.parametrize(
    "wrong", [{"MODELYARD_TLS_KEY": "/k"}, {"MODELYARD_LOG_FORM": "xml"}, {"MODELYARD_PORT": "many"}]
)
def test_what_cannot_be_is_refused(folder: Path, wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError):
        settled(folder, {"MODELYARD_TOKEN_FILE": "/nowhere"} | wrong)
