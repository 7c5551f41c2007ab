"""PyTorch modules through the command line, on real data."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_wine

pytest.importorskip(
    "torch", reason="PyTorch is not installed; these tests need it: pip install torch==2.13.0"
)

SETTINGS = """
[project]
name = "nets"
[data.{data}]
source = "data.csv"
target = "outcome"
split = {{ test = 0.25 }}
[models.net]
code = "models/net"
data = "{data}"
form = "{form}"
[environments.test]
port = 8101
"""
NET = """
import json
from pathlib import Path

import numpy as np
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, width, out):
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("scale", torch.ones(width))
        last = {{1: nn.Identity, 2: nn.Sigmoid, 3: nn.Softmax}}[{kind}]
        self.layers = nn.Sequential(
            nn.Linear(width, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.1), nn.Linear(16, out),
            last(1) if last is nn.Softmax else last(),
        )

    def forward(self, rows):
        return self.layers((rows - self.mean) / self.scale)


def train(data, params):
    torch.set_num_threads(1)
    x, y = data.numpy()
    rows = torch.as_tensor(x, dtype=torch.float32)
    codes = y.astype(np.float32) if {kind} == 1 else np.unique(y, return_inverse=True)[1]
    net = Net(x.shape[1], 3 if {kind} == 3 else 1)
    net.mean, net.scale = rows.mean(0), rows.std(0) + 1e-9
    loss = {{1: nn.MSELoss(), 2: nn.BCELoss(), 3: nn.NLLLoss()}}[{kind}]
    target = torch.as_tensor(codes, dtype=torch.int64 if {kind} == 3 else torch.float32)
    steps = torch.optim.Adam(net.parameters(), 0.05)
    for _ in range(60):
        steps.zero_grad()
        given = net(rows)
        loss(torch.log(given + 1e-9) if {kind} == 3 else given.reshape(-1), target).backward()
        steps.step()
    net.eval()
    with torch.no_grad():
        given = net(rows[:10]).numpy()
    Path({record!r}).write_text(json.dumps({{"rows": data.features.head(10).to_dict("records"), "answers": given.tolist()}}))
    return net
"""
SAVED = """

def save(model, folder):
    torch.save(model.state_dict(), folder / "weights.pt")


def load(folder):
    state = torch.load(folder / "weights.pt", weights_only=True)
    net = Net(len(state["mean"]), len(state["layers.4.bias"]))
    net.load_state_dict(state)
    return net.eval()
"""
LOADS: dict[str, tuple[Any, int]] = {
    "cancer": (load_breast_cancer, 2),
    "wine": (load_wine, 3),
    "diabetes": (load_diabetes, 1),
}


def modelyard(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "modelyard", "-C", str(folder), *words]
    return subprocess.run(command, capture_output=True, text=True)


def project(folder: Path, name: str, form: str, code: str) -> Path:
    load, kind = LOADS[name]
    frame = load(as_frame=True).frame.rename(columns={"target": "outcome"})
    frame.columns = [column.replace(" ", "_").replace("/", "_") for column in frame.columns]
    if kind > 1:
        frame["outcome"] = "c" + frame["outcome"].astype(str)
    frame.to_csv(folder / "data.csv", index=False)
    place = folder / "models" / "net"
    place.mkdir(parents=True)
    (place / "model.py").write_text(code.format(kind=kind, record=str(folder / "answers.json")))
    torch = version("torch").partition("+")[0]
    (place / "requirements.model").write_text(f"torch=={torch}\nnumpy=={version('numpy')}\n")
    (place / "test_model.py").write_text(
        "import model\n\n\ndef test_it_trains():\n    assert callable(model.train)\n"
    )
    (folder / "modelyard.toml").write_text(SETTINGS.format(data=name, form=form))
    return folder


@pytest.mark.parametrize("form", ["onnx", "native"])
@pytest.mark.parametrize("name", LOADS)
def test_a_module_is_built_and_answers_as_in_training(name: str, form: str, tmp_path: Path) -> None:
    folder = project(tmp_path, name, form, NET + (SAVED if form == "native" else ""))
    for words in (["ingest"], ["train", "net"]):
        done = modelyard(folder, *words)
        assert done.returncode == 0, done.stderr + done.stdout
    record = json.loads((folder / "answers.json").read_text())
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in record["rows"]))
    done = modelyard(folder, "predict", "net@run", str(folder / "rows.jsonl"), "--json")
    assert done.returncode == 0, done.stderr
    given = json.loads(done.stdout)
    theirs = np.array(record["answers"])
    ours = np.array(given["prediction"] if name == "diabetes" else given["probability"])
    if name == "cancer":
        ours = ours[:, 1]
    assert np.allclose(ours, theirs.reshape(ours.shape), rtol=1e-4, atol=1e-5)
    if name == "wine":
        done = modelyard(folder, "reproduce", "net@run")
        assert done.returncode == 0, done.stderr
        assert "identical to the bit" in done.stdout


def test_without_save_and_load_a_module_that_must_serve_native_is_refused(tmp_path: Path) -> None:
    done = modelyard(project(tmp_path, "cancer", "native", NET), "build")
    assert done.returncode == 2 or done.returncode == 1
    assert "write 'save(model, folder)' and 'load(folder)' in model.py" in done.stderr


def test_scores_that_are_no_probabilities_are_refused_with_what_to_do(tmp_path: Path) -> None:
    code = NET.replace("2: nn.Sigmoid", "2: nn.Identity").replace(
        "2: nn.BCELoss()", "2: nn.BCEWithLogitsLoss()"
    )
    done = modelyard(project(tmp_path, "cancer", "auto", code), "build")
    assert done.returncode != 0
    assert "end it with a softmax or a sigmoid" in done.stderr


LABELS = """
import json
from pathlib import Path

import torch
from torch import nn


def train(data, params):
    torch.set_num_threads(1)
    torch.manual_seed(3)
    rows = torch.as_tensor(data.features.to_numpy(), dtype=torch.float32)
    target = torch.as_tensor(data.target.to_numpy(), dtype=torch.float32)
    net = nn.Sequential(nn.Linear(rows.shape[1], 32), nn.ReLU(), nn.Linear(32, 3), nn.Sigmoid())
    steps = torch.optim.Adam(net.parameters(), 0.02)
    for _ in range(150):
        steps.zero_grad()
        nn.functional.binary_cross_entropy(net(rows), target).backward()
        steps.step()
    net.eval()
    with torch.no_grad():
        given = net(rows[:10]).numpy()
    Path({record!r}).write_text(json.dumps({{"rows": data.features.head(10).to_dict("records"), "answers": given.tolist()}}))
    return net
"""


def test_a_sigmoid_a_label_answers_any_number_of_labels(tmp_path: Path) -> None:
    folder = project(tmp_path, "cancer", "onnx", LABELS)
    frame = load_digits(as_frame=True).frame.iloc[:600]
    digit = frame.pop("target")
    frame["even"], frame["prime"], frame["loop"] = (
        digit % 2 == 0,
        digit.isin([2, 3, 5, 7]),
        digit.isin([0, 6, 8, 9]),
    )
    frame.to_csv(folder / "data.csv", index=False)
    settings = folder / "modelyard.toml"
    settings.write_text(settings.read_text().replace('"outcome"', '["even", "prime", "loop"]'))
    done = modelyard(folder, "build")
    assert done.returncode == 0, done.stderr + done.stdout
    record = json.loads((folder / "answers.json").read_text())
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in record["rows"]))
    done = modelyard(folder, "predict", "net@1", str(folder / "rows.jsonl"), "--json")
    assert done.returncode == 0, done.stderr
    given, theirs = json.loads(done.stdout), np.array(record["answers"])
    assert np.allclose(given["probability"], theirs, rtol=1e-4, atol=1e-5)
    assert given["classes"] == ["even", "prime", "loop"]
    assert given["prediction"] == [
        [label for label, likely in zip(given["classes"], row, strict=True) if likely > 0.5] for row in theirs
    ]
