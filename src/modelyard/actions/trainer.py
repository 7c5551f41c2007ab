"""The process that a model is trained and sealed in: ``python -m modelyard.actions.trainer FD TRACE``.

A noun that ``train`` and tuning share. It is the author's code that runs here; whoever asks for it
(``training.Worker``) reads what it leaves and runs nothing of it.
"""

from __future__ import annotations

import math
import pickle
import socket
import sys
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from modelyard.authoring import use
from modelyard.errors import AuthorError
from modelyard.predictor.open import opener
from modelyard.training import messages
from modelyard.training.bare import NATIVE, PICKLE
from modelyard.training.bench import Bench
from modelyard.training.loop import Handler, serve
from modelyard.training.trace import watch

T = TypeVar("T", bound=msgspec.Struct)


def main() -> None:
    """Answer jobs on the socket that is file descriptor ``FD``."""
    watch(Path(sys.argv[2]))
    bench = Bench()

    def opened(job: dict[str, Any]) -> dict[str, Any]:
        if job["uses"]:
            use(opener(Path(job["uses"])))
        return {"space": bench.open(Path(job["code"]))}

    def begin(job: dict[str, Any]) -> None:
        asked = _asked(job, messages.Begin)
        named: dict[str, Any] = {"task": asked.task, "classes": asked.classes, "seed": asked.seed}
        named["quantiles"], named["thresholds"] = asked.quantiles, asked.thresholds
        bench.begin(Path(asked.rows), asked.schema, folds=_path(asked.folds), **named)

    def fit(job: dict[str, Any]) -> dict[str, Any]:
        asked = _asked(job, messages.Fit)
        trained = bench.fit(asked.params, memory=asked.memory, record=_path(asked.record))
        return {"params": trained.params, "seconds": trained.seconds, "hash_seed": trained.hash_seed}

    def score(job: dict[str, Any]) -> dict[str, Any]:
        return _score(bench, _asked(job, messages.Score))

    def prepare(_: dict[str, Any]) -> None:
        import modelyard.packaging  # noqa: F401

    def adopt(job: dict[str, Any]) -> None:
        _adopt(bench, _asked(job, messages.Adopt))

    def seal(job: dict[str, Any]) -> None:
        _seal(bench, _asked(job, messages.Seal))

    def answer(job: dict[str, Any]) -> None:
        _answer(_asked(job, messages.Answer))

    handlers: dict[str, Handler] = {
        "open": opened,
        "begin": begin,
        "fit": fit,
        "score": score,
        "prepare": prepare,
        "adopt": adopt,
        "seal": seal,
        "answer": answer,
    }
    serve(socket.socket(fileno=int(sys.argv[1])), handlers)


def _score(bench: Bench, asked: messages.Score) -> dict[str, Any]:
    from modelyard import metrics

    named: dict[str, Any] = {"memory": asked.memory, "record": _path(asked.record)}
    held, answers, trained, learnt = bench.answer(
        asked.params, fold=asked.fold, learn=asked.learn, share=asked.share, **named
    )
    fitted = trained.fitted
    quantiles = None if answers.quantiles is None else metrics.Quantiles(fitted.quantiles, answers.quantiles)
    value = metrics.value(
        asked.metric,
        fitted.task,
        held.target,
        answers.prediction,
        answers.probability,
        fitted.classes,
        quantiles=quantiles,
    )
    return {
        "value": value if math.isfinite(value) else None,
        "rows": len(held),
        "learnt": learnt,
        "params": trained.params,
        "seconds": trained.seconds,
    }


def _adopt(bench: Bench, asked: messages.Adopt) -> None:
    folder, load = Path(asked.folder), bench.code.load
    try:
        if load is not None:
            model = load(folder / NATIVE)
        else:  # written a moment ago by the process that trained it, which runs no code less trusted than this one
            with bench.code.importable(), (folder / PICKLE).open("rb") as file:
                model = pickle.load(file)
    except Exception as error:
        raise AuthorError(
            f"The trained model cannot be loaded again: {type(error).__name__}: {error}; "
            "write 'save(model, folder)' and 'load(folder)' in model.py."
        ) from error
    bench.adopt(model, asked.frame)


def _seal(bench: Bench, asked: messages.Seal) -> None:
    from modelyard import packaging
    from modelyard.training.rows import read

    if bench.trained is None:
        raise RuntimeError("there is no fitted model to seal")
    packaging.seal(
        bench.trained.fitted,
        Path(asked.folder),
        model=asked.model,
        schema=bench.schema,
        code=bench.code.folder,
        requirements=asked.requirements,
        train=bench.rows.batch,
        test=read(Path(asked.test)).batch,
        form=asked.form,
        tolerance=asked.tolerance,
        python=asked.python,
        uses=asked.uses,
        used=_path(asked.used),
        beside=asked.beside,
    )


def _answer(asked: messages.Answer) -> None:
    import numpy as np

    from modelyard.metrics.multilabel import encode
    from modelyard.predictor import open_own
    from modelyard.training.rows import read

    predictor = open_own(Path(asked.package))
    answers = predictor.predict(read(Path(asked.rows)).batch)
    arrays = {"prediction": np.asarray(answers.prediction.tolist())}
    if predictor.manifest.task == "multilabel":
        arrays["prediction"] = encode(answers.prediction, predictor.manifest.classes)
    if answers.probability is not None:
        arrays["probability"] = answers.probability
    if answers.quantiles is not None:
        arrays["quantiles"] = answers.quantiles
    np.savez(asked.file, allow_pickle=False, **arrays)


def _path(text: str | None) -> Path | None:
    return Path(text) if text else None


def _asked(job: dict[str, Any], kind: type[T]) -> T:
    return msgspec.convert(job, kind)


if __name__ == "__main__":
    main()
