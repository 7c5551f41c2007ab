"""The conformance kit of ``PredictionSink``: subclass it, say how to open one and how to read it back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from modelyard.ports import PredictionSink
from modelyard.records.minute import Minute
from modelyard.records.outcome import Outcome
from modelyard.records.package import Layout, Manifest, Task
from modelyard.records.schema import Column, Schema
from modelyard.records.service import ServedModel


@dataclass(frozen=True)
class Answer:
    """One logged row, as the kit compares it."""

    model_id: str
    request_id: bytes
    client_id: str | None
    row: int
    at: float
    features: tuple[object, ...]
    """Numbers, then texts; a null number is None."""
    prediction: object
    probability: tuple[float, ...] | None
    quantiles: tuple[float, ...] | None = None


@dataclass(frozen=True, eq=False)
class _Batch:
    numbers: NDArray[np.float64]
    texts: NDArray[np.object_]


@dataclass(frozen=True, eq=False)
class _Answers:
    prediction: NDArray[Any]
    probability: NDArray[np.float64] | None
    quantiles: NDArray[np.float64] | None = None


def served(name: str, *, version: int = 1) -> ServedModel:
    """A model that the kit's services serve."""
    return ServedModel(
        model=name, version=version, model_id=f"{name}/test/{version}", package="0" * 64, folder="/nowhere"
    )


def manifest(name: str, *, task: Task = "binary", quantiles: tuple[float, ...] = ()) -> Manifest:
    """Its manifest: one number ``size``, one text ``colour``."""
    schema = Schema(
        columns=(
            Column(name="size", kind="float", nullable=True),
            Column(name="colour", kind="string", nullable=True),
        )
    )
    return Manifest(
        model=name,
        task=task,
        classes=() if task == "regression" else ("no", "yes"),
        quantiles=quantiles,
        form="onnx",
        frame="pandas",
        schema=schema,
        layout=Layout(numbers=("size",), texts=("colour",)),
        requirements=(),
        python="3.11",
        files=(),
    )


class PredictionSinkKit(ABC):
    """What every ``PredictionSink`` keeps."""

    @abstractmethod
    def open(self) -> PredictionSink:
        """A sink that ``logged`` reads, empty on its first use in a test."""

    @abstractmethod
    def logged(self) -> list[Answer]:
        """Everything that this test's sinks have logged, in order."""

    @abstractmethod
    def told(self) -> list[tuple[str, float, Outcome]]:
        """Model, time and outcome of each that this test's sinks have logged, in order."""

    @abstractmethod
    def counted(self) -> list[tuple[float, Minute]]:
        """Time and content of each minute that this test's sinks have logged, in order."""

    def _write(self, sink: PredictionSink, key: int, ids: list[bytes], **more: Any) -> None:
        n = sum(more.get("counts") or [1] * len(ids))
        sink.write(
            key,
            _Batch(np.arange(n, dtype=np.float64).reshape(n, 1), np.full((n, 1), "red", dtype=object)),
            _Answers(np.array(["yes"] * n, dtype=object), np.tile([0.25, 0.75], (n, 1))),
            ids=ids,
            at=1000.0,
            latency=0.001,
            **more,
        )

    def test_a_row_comes_back_as_it_was_written(self) -> None:
        sink = self.open()
        key = sink.begin(served("m"), manifest("m"))
        batch = _Batch(np.array([[np.nan], [np.inf]]), np.array([[None], ["grün\x00"]], dtype=object))
        answers = _Answers(np.array(["no", "yes"], dtype=object), np.array([[0.9, 0.1], [1 / 3, 2 / 3]]))
        sink.write(key, batch, answers, ids=[b"a", b"b"], at=12.5, latency=0.1, client_ids=[None, "mine"])
        sink.flush()
        assert self.logged() == [
            Answer("m/test/1", b"a", None, 0, 12.5, (None, None), "no", (0.9, 0.1)),
            Answer("m/test/1", b"b", "mine", 0, 12.5, (np.inf, "grün\x00"), "yes", (1 / 3, 2 / 3)),
        ]

    def test_a_regression_logs_numbers(self) -> None:
        sink = self.open()
        key = sink.begin(served("m"), manifest("m", task="regression"))
        batch = _Batch(np.array([[1.0]]), np.array([["red"]], dtype=object))
        sink.write(key, batch, _Answers(np.array([0.1]), None), ids=[b"a"], at=1.0, latency=0.1)
        sink.flush()
        assert self.logged() == [Answer("m/test/1", b"a", None, 0, 1.0, (1.0, "red"), 0.1, None)]

    def test_a_regression_of_quantiles_logs_each_of_them(self) -> None:
        sink = self.open()
        key = sink.begin(served("m"), manifest("m", task="regression", quantiles=(0.1, 0.5)))
        batch = _Batch(np.array([[1.0], [2.0]]), np.array([["red"], ["blue"]], dtype=object))
        answers = _Answers(np.array([0.1, 7.0]), None, np.array([[-1.5, 0.1], [5.0, 7.0]]))
        sink.write(key, batch, answers, ids=[b"a", b"b"], at=1.0, latency=0.1)
        sink.flush()
        assert self.logged() == [
            Answer("m/test/1", b"a", None, 0, 1.0, (1.0, "red"), 0.1, None, (-1.5, 0.1)),
            Answer("m/test/1", b"b", None, 0, 1.0, (2.0, "blue"), 7.0, None, (5.0, 7.0)),
        ]

    def test_several_labels_are_logged_as_those_that_hold(self) -> None:
        sink = self.open()
        key = sink.begin(served("m"), manifest("m", task="multilabel"))
        batch = _Batch(np.array([[1.0], [2.0]]), np.array([["red"], ["blue"]], dtype=object))
        held = np.empty(2, dtype=object)
        held[:] = [["no", "yes"], []]
        answers = _Answers(held, np.array([[0.9, 0.8], [0.1, 0.2]]))
        sink.write(key, batch, answers, ids=[b"a", b"b"], at=1.0, latency=0.1)
        sink.flush()
        assert self.logged() == [
            Answer("m/test/1", b"a", None, 0, 1.0, (1.0, "red"), ["no", "yes"], (0.9, 0.8)),
            Answer("m/test/1", b"b", None, 0, 1.0, (2.0, "blue"), [], (0.1, 0.2)),
        ]

    def test_a_request_of_several_rows_numbers_them(self) -> None:
        sink = self.open()
        key = sink.begin(served("m"), manifest("m"))
        self._write(sink, key, [b"a", b"b"], counts=[2, 1])
        sink.flush()
        assert [(a.request_id, a.row) for a in self.logged()] == [(b"a", 0), (b"a", 1), (b"b", 0)]

    def test_several_models_share_a_turn(self) -> None:
        sink = self.open()
        first = sink.begin(served("m"), manifest("m"))
        self._write(sink, first, [b"a"])
        sink.flush()
        second = sink.begin(served("m", version=2), manifest("m"))
        self._write(sink, second, [b"b"])
        self._write(sink, first, [b"c"])
        sink.flush()
        assert [(a.model_id, a.request_id) for a in self.logged()] == [
            ("m/test/1", b"a"),
            ("m/test/2", b"b"),
            ("m/test/1", b"c"),
        ]

    def test_nothing_is_logged_before_flush_and_close_flushes(self) -> None:
        sink = self.open()
        key = sink.begin(served("m"), manifest("m"))
        self._write(sink, key, [b"a"])
        assert self.logged() == []
        sink.close()
        assert [a.request_id for a in self.logged()] == [b"a"]

    def test_an_empty_turn_and_an_empty_batch_log_nothing(self) -> None:
        sink = self.open()
        key = sink.begin(served("m"), manifest("m"))
        self._write(sink, key, [])
        sink.flush(fsync=True)
        sink.close()
        assert self.logged() == []

    def test_ids_that_do_not_fit_the_rows_are_a_mistake_of_the_caller(self) -> None:
        sink = self.open()
        key = sink.begin(served("m"), manifest("m"))
        answers = _Answers(np.array(["yes"], dtype=object), None)
        batch = _Batch(np.array([[1.0]]), np.array([["red"]], dtype=object))
        with pytest.raises(ValueError, match="count"):
            sink.write(key, batch, answers, ids=[b"a", b"b"], at=1.0, latency=0.1)

    def test_outcomes_come_back_beside_rows_as_they_were_told(self) -> None:
        sink = self.open()
        key = sink.begin(served("m"), manifest("m"))
        every = [
            Outcome("a", "grün", 1, 12.5),
            Outcome("b", True, by="client_id"),
            Outcome("c", 7),
            Outcome("d", 0.1),
        ]
        self._write(sink, key, [b"a"])
        sink.outcomes("m", every[:3], at=1000.25)
        sink.outcomes("other", every[3:], at=1001.0)
        sink.outcomes("m", [], at=1002.0)
        assert self.told() == []
        sink.flush()
        assert self.told() == [
            *(("m", 1000.25, outcome) for outcome in every[:3]),
            ("other", 1001.0, every[3]),
        ]
        assert [type(outcome.outcome) for _, _, outcome in self.told()] == [str, bool, int, float]
        assert [a.request_id for a in self.logged()] == [b"a"]

    def test_a_sink_of_outcomes_alone_keeps_them(self) -> None:
        sink = self.open()
        for number in range(3):
            sink.outcomes("m", [Outcome(f"{number}", "yes")], at=float(number))
            sink.flush()
        sink.close()
        assert [outcome.id for _, _, outcome in self.told()] == ["0", "1", "2"]

    def test_minutes_come_back_beside_the_rest(self) -> None:
        sink = self.open()
        key = sink.begin(served("m"), manifest("m"))
        some = [Minute("m", 1, 2, 7, 1, 0, 3, 0.25, 4), Minute("grün", 2, 2, refused=1)]
        self._write(sink, key, [b"a"])
        sink.minutes(some, at=1000.25)
        sink.minutes([], at=1060.0)
        assert self.counted() == []
        sink.flush()
        sink.minutes(some[:1], at=1120.0)
        sink.close()
        assert self.counted() == [(1000.25, some[0]), (1000.25, some[1]), (1120.0, some[0])]
        assert [a.request_id for a in self.logged()] == [b"a"]
        assert self.told() == []

    def test_two_sinks_do_not_disturb_each_other(self) -> None:
        sinks = [self.open(), self.open()]
        for number, sink in enumerate(sinks):
            key = sink.begin(served(f"m{number}"), manifest(f"m{number}"))
            self._write(sink, key, [f"{number}".encode()])
        for sink in sinks:
            sink.close()
        assert sorted((a.model_id, a.request_id) for a in self.logged()) == [
            ("m0/test/1", b"0"),
            ("m1/test/1", b"1"),
        ]
