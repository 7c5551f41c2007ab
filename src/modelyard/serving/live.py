"""One model that answers: its package, its decoder, its words."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from modelyard.errors import AuthorError, ModelyardError, RequestRefused, Tampered
from modelyard.predictor import Answers, Predictor, open_package
from modelyard.predictor.own import Lost, OwnProcess
from modelyard.predictor.verify import MANIFEST
from modelyard.predictor.verify import decode as decode_manifest
from modelyard.records.service import ServedModel
from modelyard.serving import tell
from modelyard.serving.counters import Tally
from modelyard.tables import decode
from modelyard.tables.batch import Batch, concat
from modelyard.wire import inference, native
from modelyard.wire.problem import Problem
from modelyard.wire.reading import Reading, Told

_TOLERANCE = 1e-5
_SMALL = 2048
"""Elements up to which tensors are cheaper read as rows of JSON, together with the turn's other rows."""

_SLACK = 5.0
_FAR = 1e6
"""Times the range that training data showed, from which on a model's failure is the number's fault."""

Span = slice | Problem
_WHOLE = {slice}


class _Golden(msgspec.Struct):
    rows: list[dict[str, Any]]
    prediction: list[Any]
    probability: list[list[float]] | None = None
    quantiles: list[list[float]] | None = None


class Live:
    """An opened, verified and warmed model. Nothing in it changes after ``open``."""

    def __init__(self, served: ServedModel, tally: Tally) -> None:
        """Open the package; raises a ``ModelyardError`` that says why it cannot serve here."""
        folder = Path(served.folder)
        self.served = served
        self.tally = tally
        self.patience: float | None = None
        """Seconds that a turn may take, where its own process does not end it before."""
        if served.own is not None and _is_native(folder):
            process = OwnProcess(
                folder,
                name=served.model_id,
                digest=served.package,
                trust=served.trust,
                own=served.own,
                tell=lambda said: tell.say(said, "warn"),
            )
            weakref.finalize(self, process.let_go)  # the last turn that asks it holds this object
            self._predictor = Predictor(process.manifest, process.predict)
            self.patience = served.own.seconds + _SLACK
        else:
            self._predictor = open_package(folder, digest=served.package, trust=served.trust)
        self.manifest = self._predictor.manifest
        self.schema = self._predictor.schema
        self.inline = self.manifest.form == "onnx"
        self.decoder = decode.compile(self.schema)
        told = self.manifest
        self.replies = native.Replies(served.model_id, told.classes, told.quantiles)
        self.told = Told(
            model=served.model,
            version=self.version,
            model_id=served.model_id,
            task=told.task,
            classes=told.classes,
            datatype=inference.label_datatype(told.task, told.classes),
            levels=told.quantiles,
        )
        self.outputs = [o["name"] for o in inference.outputs_of(told.task, told.classes, told.quantiles)]
        self.width = inference.width(self.schema)
        self._names = [c.name for c in self.schema.features]
        self.example = self._warm(folder / "golden.json")

    @property
    def version(self) -> str:
        return str(self.served.version)

    def metadata(self) -> dict[str, Any]:
        """The Open Inference Protocol's model metadata."""
        return inference.metadata(
            self.served.model,
            self.version,
            self.schema,
            task=self.manifest.task,
            classes=self.manifest.classes,
            quantiles=self.manifest.quantiles,
        )

    def _warm(self, path: Path) -> dict[str, Any] | None:
        """Answer the golden rows as they were sealed; returns the first of them."""
        try:
            golden = msgspec.json.decode(path.read_bytes(), type=_Golden)
        except FileNotFoundError:
            return None
        except msgspec.DecodeError as error:
            raise Tampered(f"{path} holds no golden rows: {error}.") from None
        if not golden.rows:
            return None
        decoded = self.decoder.records(golden.rows, max_rows=len(golden.rows))
        answers = self._predictor.predict(decoded.batch)
        wanted: object = golden.probability
        got: NDArray[Any] | None = answers.probability
        if self.manifest.quantiles:
            wanted, got = golden.quantiles, answers.quantiles
        elif wanted is None and self.manifest.task == "regression":
            wanted, got = golden.prediction, answers.prediction
        if wanted is not None and got is not None:
            sealed = np.asarray(wanted, dtype=np.float64)
            if sealed.shape != got.shape or not np.allclose(sealed, got, rtol=_TOLERANCE, atol=_TOLERANCE):
                raise Tampered(
                    f"{self.served.model_id} answers its golden rows otherwise here than it was sealed with: "
                    "package it again on a machine like this one."
                )
        return golden.rows[0]

    def read(
        self, bodies: Sequence[bytes | Reading], *, rows: int, size: int
    ) -> tuple[Batch, list[Span], int]:
        """One batch of many requests, where each stands in it (or why not), and how many marks there are."""
        if set(map(type, bodies)) == {bytes}:
            small: Sequence[bytes | None] = cast("Sequence[bytes]", bodies)
        else:
            flats = [body.flat for body in bodies if not isinstance(body, bytes) and body.flat is not None]
            if len(flats) == len(bodies):
                return self._flats(flats, bodies, rows)
            bodies = [b if isinstance(b, bytes) else b.by_columns(self._names) for b in bodies]
            small = [self._small(body) for body in bodies]
        decoded = self.decoder.rows([b for b in small if type(b) is bytes], max_rows=rows, max_bytes=size)
        marks = sum(decoded.marks.values()) if decoded.marks else 0
        if None not in small and set(map(type, decoded.spans)) <= _WHOLE:
            return decoded.batch, cast("list[Span]", list(decoded.spans)), marks
        parts, taken, at = [decoded.batch], iter(decoded.spans), len(decoded.batch)
        spans: list[Span] = []
        for body, read in zip(bodies, small, strict=True):
            refused = None if read is None else next(taken)
            if type(refused) is slice:
                spans.append(refused)
                continue
            try:
                more = self._apart(body, rows, refused)
            except RequestRefused as fault:
                spans.append(_problem(fault, body))
                continue
            parts.append(more.batch)
            spans.append(slice(at, at + len(more.batch)))
            at += len(more.batch)
            marks += sum(more.marks.values())
        return (concat(parts) if len(parts) > 1 else decoded.batch), spans, marks

    def _flats(
        self, flats: Sequence[Any], bodies: Sequence[bytes | Reading], rows: int
    ) -> tuple[Batch, list[Span], int]:
        decoded = self.decoder.flat(flats, max_rows=rows)
        spans: list[Span] = [
            span if type(span) is slice else _problem(span, body)
            for span, body in zip(decoded.spans, bodies, strict=True)
        ]
        return decoded.batch, spans, sum(decoded.marks.values())

    @staticmethod
    def _small(body: bytes | Reading) -> bytes | None:
        """The body in the native form, so that it shares the turn's check; None for large tensors."""
        if isinstance(body, bytes):
            return body
        return body.native_body() if body.size <= _SMALL else None

    def _apart(
        self, body: bytes | Reading, rows: int, refused: RequestRefused | slice | None
    ) -> decode.Decoded:
        """What does not share the turn's check: large tensors, and native bodies of the rarer forms."""
        if isinstance(body, Reading):
            if isinstance(refused, RequestRefused):
                raise refused
            return self.decoder.columns(body.columns, max_rows=rows)
        table = native.other_form(body, self._names)
        if isinstance(table, dict):
            return self.decoder.columns(table, max_rows=rows)
        if table is not None:
            return self.decoder.records(table, max_rows=rows)
        assert isinstance(refused, RequestRefused)
        raise refused

    def predict(self, batch: Batch, spans: list[Span]) -> tuple[Batch, list[Span], Answers | None]:
        """Ask the model once; when it fails, each request alone, so that one cannot fail the others."""
        if not len(batch):
            return batch, spans, None
        try:
            return batch, spans, self._predictor.predict(batch)
        except Lost as lost:  # whose fault it was is not known, so nobody is asked again
            return batch.take(slice(0, 0)), [_lost(lost) if type(s) is slice else s for s in spans], None
        except Exception as error:
            if sum(isinstance(s, slice) for s in spans) == 1:
                refused = self._failed(error, batch)
                return batch.take(slice(0, 0)), [refused if type(s) is slice else s for s in spans], None
        return self._each(batch, spans)

    def _each(self, batch: Batch, spans: list[Span]) -> tuple[Batch, list[Span], Answers | None]:
        kept: list[Batch] = []
        given: list[Answers] = []
        after: list[Span] = []
        at = 0
        for span in spans:
            if not isinstance(span, slice):
                after.append(span)
                continue
            part = batch.take(span)
            try:
                given.append(self._predictor.predict(part))
            except Lost as lost:
                after.append(_lost(lost))
                continue
            except Exception as error:
                after.append(self._failed(error, part))
                continue
            kept.append(part)
            after.append(slice(at, at + len(part)))
            at += len(part)
        if not kept:
            return batch.take(slice(0, 0)), after, None
        return concat(kept), after, joined(given)

    def _failed(self, error: Exception, batch: Batch) -> Problem:
        """500; 422 where a number is so large that no model of these data could answer it."""
        said = (
            str(error)
            if isinstance(error, AuthorError)
            else f"The model raised {type(error).__name__}: {error}"
        )
        bounds = {c.name: c for c in self.schema.features}
        for j, name in enumerate(self.manifest.layout.numbers):
            low, high = bounds[name].minimum, bounds[name].maximum
            if low is None or high is None:
                continue
            far = _FAR * max(abs(low), abs(high), high - low)
            wild = batch.numbers[np.abs(batch.numbers[:, j]) > max(far, _FAR), j]
            if len(wild):
                return Problem(
                    422,
                    f"The model has no answer to '{name}' = {wild[0]:.4g}, which lies a million times beyond what it was "
                    "trained on.",
                    code="out_of_reach",
                    field=name,
                )
        return Problem(500, said)


def _lost(lost: Lost) -> Problem:
    code = "model_too_slow" if lost.late else "model_ended"
    return Problem(503, str(lost), code=code, headers=b"retry-after: 1\r\n")


def _is_native(folder: Path) -> bool:
    """By its manifest as it lies there; whoever opens the package holds it to its digest."""
    try:
        return decode_manifest((folder / MANIFEST).read_bytes(), folder / MANIFEST).form == "native"
    except OSError:
        return False


def joined(given: list[Answers]) -> Answers:
    """Answers to parts as the answers to the whole."""
    probabilities = [a.probability for a in given if a.probability is not None]
    quantiles = [a.quantiles for a in given if a.quantiles is not None]
    return Answers(
        np.concatenate([a.prediction for a in given]),
        np.concatenate(probabilities) if len(probabilities) == len(given) else None,
        np.concatenate(quantiles) if len(quantiles) == len(given) else None,
    )


def _problem(refused: RequestRefused | slice, body: bytes | Reading) -> Problem:
    """The refusal with its surface's status: only the native one knows 422."""
    assert isinstance(refused, RequestRefused)
    concerns_row = refused.row is not None or refused.field is not None
    status = 422 if concerns_row and isinstance(body, bytes) else 400
    code = "invalid_row" if concerns_row else ""
    return Problem(status, str(refused), code=code, field=refused.field)


class Models:
    """All models of a plan, by name; replaced as a whole. ``rivals`` stand beside a champion of their name."""

    def __init__(self, generation: int, models: dict[str, Live], rivals: dict[str, Live]) -> None:
        self.generation = generation
        self.by_name = models
        self.rivals = rivals

    @classmethod
    def open(
        cls,
        generation: int,
        wanted: Sequence[ServedModel],
        before: Models | None,
        tally: Callable[[ServedModel], Tally],
    ) -> Models:
        """Open what is new; a model whose package did not change stays as it is. Runs in a thread."""
        models: dict[str, Live] = {}
        rivals: dict[str, Live] = {}
        known = before.all() if before else []
        for served in wanted:
            side = models if served.arm == "champion" else rivals
            if served.model in side:
                raise Tampered(f"The plan has two versions of {served.model} as {served.arm}.")
            old = next((live for live in known if live.served == served), None)
            if old is not None:
                side[served.model] = old
                continue
            try:
                side[served.model] = Live(served, tally(served))
            except ModelyardError:
                raise
            except Exception as error:
                raise Tampered(
                    f"{served.model_id} cannot be loaded: {type(error).__name__}: {error}"
                ) from error
        for name in rivals.keys() - models.keys():
            raise Tampered(f"The plan has a {rivals[name].served.arm} of {name}, but no version beside it.")
        return cls(generation, models, rivals)

    def all(self) -> list[Live]:
        return [*self.by_name.values(), *self.rivals.values()]
