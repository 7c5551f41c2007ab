"""Errors of a frozen model on river's generators, and what river's detectors say of them; run by ``streams.py`` in river's own environment.

python streams_peer.py FOLDER SEED RUNS STILL

writes ``streams.npz``: of each generator errors (0 or 1) without drift [blocks, TEST + STILL] and with a change of concept
[runs, TEST + BEFORE + AFTER], the first TEST of each row from the model's test split. ``told.json`` has of each detector and strictness how often it
alarmed where nothing changed, and when it did after the change.
"""

from __future__ import annotations

import itertools
import json
import sys
import time
from pathlib import Path

import numpy as np
import river
from river import drift, tree
from river.datasets import synth

TRAIN, TEST, BEFORE, AFTER, BLOCKS = 5_000, 1_000, 2_000, 5_000, 10
GENERATORS = {
    "SEA": lambda which, seed: synth.SEA(variant=(0, 2)[which], noise=0.1, seed=seed),
    "Sine": lambda which, seed: synth.Sine(classification_function=(0, 2)[which], seed=seed),
    "Agrawal": lambda which, seed: synth.Agrawal(
        classification_function=(0, 1)[which], perturbation=0.05, seed=seed
    ),
    "STAGGER": lambda which, seed: synth.STAGGER(classification_function=(0, 1)[which], seed=seed),
    "Mixed": lambda which, seed: synth.Mixed(classification_function=(0, 1)[which], seed=seed),
}
DETECTORS = {
    "ADWIN": lambda s: drift.ADWIN(delta=s),
    "Page-Hinkley": lambda s: drift.PageHinkley(threshold=s, mode="up"),
    "HDDM_A": lambda s: drift.binary.HDDMA(drift_confidence=s, warning_confidence=max(s, 5e-3)),
    "HDDM_W": lambda s: drift.binary.HDDMW(drift_confidence=s, warning_confidence=max(s, 5e-3)),
    "DDM": lambda s: drift.binary.DDM(drift_threshold=s, warning_threshold=min(s, 2.0)),
}
STRICTNESS = {
    "ADWIN": [0.002, 1e-3, 3e-4, 1e-4, 3e-5, 1e-5, 1e-6, 1e-8],
    "Page-Hinkley": [50.0, 15.0, 20.0, 30.0, 40.0, 70.0, 100.0, 150.0],
    "HDDM_A": [0.001, 1e-4, 1e-5, 1e-6, 1e-8],
    "HDDM_W": [0.001, 1e-5, 1e-7, 1e-9, 1e-12],
    "DDM": [3.0, 4.0, 5.0, 6.0, 8.0, 12.0],
}
"""The first is the default."""


def errors(make, model, which: int, seed: int, n: int) -> np.ndarray:
    found = np.empty(n, dtype=np.uint8)
    for i, (x, y) in enumerate(make(which, seed).take(n)):
        found[i] = model.predict_one(x) != y
    return found


def streams(seed: int, runs: int, still: int) -> dict[str, np.ndarray]:
    found = {}
    for at, (name, make) in enumerate(GENERATORS.items()):
        seeds = itertools.count(1_000_000 * (seed + 1) + 100_000 * at)
        model = tree.HoeffdingTreeClassifier(grace_period=100)
        for x, y in make(0, next(seeds)).take(TRAIN):
            model.learn_one(x, y)
        found[f"{name} still"] = np.stack(
            [errors(make, model, 0, next(seeds), TEST + still) for _ in range(BLOCKS)]
        )
        found[f"{name} moved"] = np.stack(
            [
                np.concatenate(
                    [
                        errors(make, model, 0, next(seeds), TEST + BEFORE),
                        errors(make, model, 1, next(seeds), AFTER),
                    ]
                )
                for _ in range(runs)
            ]
        )
    return found


def alarms(detector, stream: np.ndarray, *, after: int | None = None) -> list[int]:
    """Places at which it says that something changed, up to the first from ``after`` on; it starts anew after each."""
    found = []
    for i, x in enumerate(stream.tolist()):
        detector.update(x)
        if detector.drift_detected:
            found.append(i)
            if after is not None and i >= after:
                break
            detector = detector.clone()
    return found


def main(folder: Path, seed: int, runs: int, still: int) -> None:
    made = streams(seed, runs, still)
    np.savez_compressed(folder / "streams.npz", **made)
    told = {"river": river.__version__, "alarms": {}}
    for detector, make in DETECTORS.items():
        for strictness in STRICTNESS[detector]:
            began = time.monotonic()
            each = {}
            for name in GENERATORS:
                quiet = [
                    sum(place >= TEST for place in alarms(make(strictness), row))
                    for row in made[f"{name} still"]
                ]
                delays = []
                for row in made[f"{name} moved"]:
                    found = alarms(make(strictness), row, after=TEST + BEFORE)
                    delays.append(
                        found[-1] - TEST - BEFORE + 1 if found and found[-1] >= TEST + BEFORE else None
                    )
                each[name] = {"false": sum(quiet), "delays": delays}
            told["alarms"].setdefault(detector, []).append({"strictness": strictness, "found": each})
            print(detector, strictness, f"{time.monotonic() - began:.0f} s", flush=True)
    (folder / "told.json").write_text(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:5]))
