"""A random search of logistic regression on breast cancer, beside scikit-learn's ``RandomizedSearchCV``.

    python -P benchmarks/training/tuning.py [--trials 200] [--rounds 3]

Both measure the area under the ROC curve of the same parameters on the same five folds of the same rows, one process each.
Ours goes through the study as ``train`` does: a warm worker process, Optuna's proposals, a line on disk for each trial.
Starting processes and importing libraries is left out on both sides and told apart. The fits alone, and so what a trial
costs beyond them, are a loop of ``clone(model).fit`` over the same folds. Rounds are interleaved; medians of seconds.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import PredefinedSplit, RandomizedSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from modelyard.records.run import Trial
from modelyard.records.schema import Column, Schema
from modelyard.tables.batch import Batch
from modelyard.training import Worker, messages
from modelyard.training.book import Book, read
from modelyard.training.dealing import Dealt
from modelyard.training.proposals import Proposals
from modelyard.training.rows import Rows, write
from modelyard.training.search import Plan, Search

FOLDS = 5
CODE = """
import modelyard as my
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
SPACE = {"C": my.log_uniform(1e-3, 1e2, default=1.0)}
def train(data, params):
    model = make_pipeline(StandardScaler(), LogisticRegression(C=params["C"], max_iter=1000))
    return model.fit(data.features, data.target)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--trials", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    found = load_breast_cancer(as_frame=True)
    features, target = found.data, found.target.to_numpy()
    fold = np.random.default_rng(0).permutation(np.arange(len(target)) % FOLDS)
    times: dict[str, list[float]] = {"ours": [], "theirs": [], "fits": [], "start": []}
    for number in range(asked.rounds):
        ours, start, trials = study(features, target, fold, asked.trials)
        values = [float(trial.params["C"]) for trial in trials]
        theirs, scores = randomized(features, target, fold, values)
        worst = max(abs(t.value - s) for t, s in zip(trials, scores, strict=True) if t.value is not None)
        if len(trials) != asked.trials or worst > 1e-6:
            raise SystemExit(f"{len(trials)} trials, and they differ by {worst:g}: not the same search")
        fits = bare(features, target, fold, values)
        for name, seconds in zip(times, (ours, theirs, fits, start), strict=True):
            times[name].append(seconds)
        print(
            f"round {number + 1}: ours {ours:.2f} s, RandomizedSearchCV {theirs:.2f} s, fits alone {fits:.2f} s"
        )
    ours, theirs, fits, start = (statistics.median(times[name]) for name in times)
    ratio = statistics.median(a / b for a, b in zip(times["ours"], times["theirs"], strict=True))
    print(
        f"{asked.trials} trials of {FOLDS} folds; load of the machine {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    )
    print(f"ours / RandomizedSearchCV: {ratio:.2f} ({ours:.2f} s / {theirs:.2f} s)")
    print(
        f"a trial beyond its fits: {1000 * (ours - fits) / asked.trials:.1f} ms; starting took {start:.2f} s"
    )


def study(features: Any, target: Any, fold: Any, trials: int) -> tuple[float, float, list[Trial]]:
    """Seconds of the search, seconds of starting, and what is on disk."""
    columns = [Column(name=name, kind="float") for name in features.columns]
    schema = Schema(columns=(*columns, Column(name="y", kind="integer")), target="y")
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "code").mkdir()
        (place / "code/model.py").write_text(CODE)
        numbers = np.ascontiguousarray(features.to_numpy(dtype=np.float64))
        rows = Rows(Batch(numbers, np.empty((len(numbers), 0), dtype=object)), target)
        files = write(rows, place / "rows")
        np.save(place / "folds.npy", fold)
        began = time.perf_counter()
        worker = Worker(place / "code", place, cwd=place)
        named: dict[str, Any] = {
            "sampler": "random",
            "points": None,
            "seed": 0,
            "higher": True,
            "pruned": False,
        }
        proposals = Proposals(worker.space(), given={}, trials=trials, **named)
        worker.begin(
            messages.Begin(
                rows=str(files),
                schema=schema,
                task="binary",
                classes=(0, 1),
                seed=0,
                folds=str(place / "folds.npy"),
            )
        )
        book = Book(place / "trials.jsonl")
        plan = Plan("roc_auc", True, Dealt(fold, tuple(range(FOLDS)), False))
        search = Search(plan, proposals, book, hire=lambda _: worker, heard=lambda *_: None)
        worker.score({"C": 1.0}, fold=0, metric="roc_auc")
        start = time.perf_counter() - began
        began = time.perf_counter()
        search.run()
        seconds = time.perf_counter() - began
        book.close()
        return seconds, start, read(book.path)


def randomized(features: Any, target: Any, fold: Any, values: list[float]) -> tuple[float, list[float]]:
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    search = RandomizedSearchCV(
        model,
        {"logisticregression__C": values},  # a list is drawn from without repetition: all of them
        n_iter=len(values),
        scoring="roc_auc",
        cv=PredefinedSplit(fold),
        random_state=0,
        refit=False,
        n_jobs=1,
    )
    began = time.perf_counter()
    search.fit(features, target)
    seconds = time.perf_counter() - began
    tried = [params["logisticregression__C"] for params in search.cv_results_["params"]]
    score = dict(zip(tried, search.cv_results_["mean_test_score"].tolist(), strict=True))
    return seconds, [score[value] for value in values]


def bare(features: Any, target: Any, fold: Any, values: list[float]) -> float:
    parts = [(features[fold != number], target[fold != number]) for number in range(FOLDS)]
    began = time.perf_counter()
    for value in values:
        model = make_pipeline(StandardScaler(), LogisticRegression(C=value, max_iter=1000))
        for learnt, answers in parts:
            clone(model).fit(learnt, answers)
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
