"""A service that a file's tests share, and services of a test's own."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # tests are no packages: this makes their parts importable

from serving_parts import Running, plan_for, serve_mixed, serve_numeric

from modelyard.records.service import ServicePlan


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One worker, a numeric classifier and a mixed regression, a log."""
    folder = tmp_path_factory.mktemp("service")
    plan = plan_for(serve_numeric(folder / "p1"), serve_mixed(folder / "p2"), log=str(folder / "log"))
    running = Running(folder, plan)
    yield running
    running.stop()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Starts services that are ended with the test."""
    begun: list[Running] = []

    def begin(plan: ServicePlan, *, await_generation: bool = True) -> Running:
        folder = tmp_path / f"service{len(begun)}"
        folder.mkdir()
        begun.append(Running(folder, plan, await_generation=await_generation))
        return begun[-1]

    yield begin
    for running in begun:
        running.stop()
