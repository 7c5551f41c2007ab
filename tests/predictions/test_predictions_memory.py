"""The sink in memory, by the kit."""

from __future__ import annotations

import pytest

from modelyard.ports import PredictionSink
from modelyard.predictions import MemorySink
from modelyard.records.minute import Minute
from modelyard.records.outcome import Outcome
from modelyard.testing.prediction_sink import Answer, PredictionSinkKit


class TestMemorySink(PredictionSinkKit):
    @pytest.fixture(autouse=True)
    def _sinks(self) -> None:
        self.sinks: list[MemorySink] = []

    def open(self) -> PredictionSink:
        self.sinks.append(MemorySink())
        return self.sinks[-1]

    def told(self) -> list[tuple[str, float, Outcome]]:
        frames = [frame for sink in self.sinks for frame in sink.told]
        return [(frame.model, frame.at, outcome) for frame in frames for outcome in frame.outcomes]

    def counted(self) -> list[tuple[float, Minute]]:
        frames = [frame for sink in self.sinks for frame in sink.counted]
        return [(frame.at, minute) for frame in frames for minute in frame.minutes]

    def logged(self) -> list[Answer]:
        found = []
        for frame in (frame for sink in self.sinks for frame in sink.frames):
            places = [(i, row) for i, count in enumerate(frame.counts) for row in range(count)]
            for at, (request, row) in enumerate(places):
                number = frame.batch.numbers[at, 0].item()
                chance, numbers = frame.answers.probability, frame.answers.quantiles
                found.append(
                    Answer(
                        frame.model.model_id,
                        frame.ids[request],
                        frame.client_ids[request],
                        row,
                        frame.at,
                        (None if number != number else number, frame.batch.texts[at, 0]),
                        frame.answers.prediction.tolist()[at],
                        None if chance is None else tuple(chance[at].tolist()),
                        None if numbers is None else tuple(numbers[at].tolist()),
                    )
                )
        return found
