"""The local target: the kit, and what is its own."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

sys.path.insert(0, str(Path(__file__).parent.parent / "serving"))

from serving_parts import plan_for, serve_numeric

from modelyard.deployment import LocalTarget
from modelyard.errors import PortTaken, StoreDown
from modelyard.records.service import ServicePlan, ServiceState
from modelyard.testing.target import TargetKit


class TestLocalTarget(TargetKit):
    @pytest.fixture
    def plan(self, tmp_path: Path) -> ServicePlan:
        return plan_for(serve_numeric(tmp_path / "p7", version=7), generation=1)

    @pytest.fixture
    def newer(self, tmp_path: Path, plan: ServicePlan) -> ServicePlan:
        model = serve_numeric(tmp_path / "p8", version=8, shift=0.5)
        return msgspec.structs.replace(plan, generation=2, models=(model,))

    @pytest.fixture
    def broken(self, tmp_path: Path, plan: ServicePlan) -> ServicePlan:
        model = serve_numeric(tmp_path / "p9", version=9)
        (tmp_path / "p9" / "model" / "model.onnx").write_bytes(b"not what the manifest lists")
        return msgspec.structs.replace(plan, generation=3, models=(model,))

    @pytest.fixture
    def target(self, tmp_path: Path, plan: ServicePlan) -> Iterator[LocalTarget]:
        target = LocalTarget(tmp_path / "services")
        yield target
        target.stop(plan.environment)

    def test_a_taken_port_leaves_the_service_on_its_own(self, target: LocalTarget, plan: ServicePlan) -> None:
        target.apply(plan, timeout=30)
        with socket.socket() as other:
            other.bind(("127.0.0.1", 0))
            other.listen()
            moved = msgspec.structs.replace(plan, generation=2, port=other.getsockname()[1])
            with pytest.raises(PortTaken):
                target.apply(moved, timeout=30)
        assert self._ready(plan)

    def test_a_failed_move_brings_the_old_service_back(
        self, target: LocalTarget, plan: ServicePlan, broken: ServicePlan
    ) -> None:
        target.apply(plan, timeout=30)
        moved = msgspec.structs.replace(broken, workers=2)
        with pytest.raises(Exception, match=r"model\.onnx"):
            target.apply(moved, timeout=30)
        assert self._ready(plan)
        assert target.plan(plan.environment) == plan

    @pytest.mark.parametrize("name", ["plan.json", "state.json"])
    def test_a_damaged_file_is_named_with_what_to_do(
        self, target: LocalTarget, plan: ServicePlan, tmp_path: Path, name: str
    ) -> None:
        target.apply(plan, timeout=30)
        path = tmp_path / "services" / plan.environment / name
        whole = path.read_bytes()
        path.write_bytes(whole[:20])
        with pytest.raises(StoreDown, match=rf"{name} is damaged .* remove that file and deploy again"):
            target.apply(plan, timeout=30)
        path.write_bytes(whole)

    def test_a_pid_that_was_given_to_a_thread_of_the_kernel_is_none_of_ours(
        self, target: LocalTarget, plan: ServicePlan, tmp_path: Path
    ) -> None:
        folder = tmp_path / "services" / plan.environment
        folder.mkdir(parents=True)
        threads = [int(p.name) for p in Path("/proc").iterdir() if p.name.isdigit() and _arguments(p) == b""]
        for pid in threads[:3] or [1]:
            state = ServiceState(pid=pid, generation=1, workers=(), models=())
            (folder / "state.json").write_bytes(msgspec.json.encode(state))
            assert target.state(plan.environment) is None


def _arguments(process: Path) -> bytes | None:
    try:
        return (process / "cmdline").read_bytes()
    except OSError:
        return None
