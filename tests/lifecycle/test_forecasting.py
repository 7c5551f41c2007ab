"""The worked example of ``docs/forecasting.md``, file by file."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "forecasting.md"
PASSENGERS = """
112 118 132 129 121 135 148 148 136 119 104 118 115 126 141 135 125 149 170 170 158 133 114 140
145 150 178 163 172 178 199 199 184 162 146 166 171 180 193 181 183 218 230 242 209 191 172 194
196 196 236 235 229 243 264 272 237 211 180 201 204 188 235 227 234 264 302 293 259 229 203 229
242 233 267 269 270 315 364 347 312 274 237 278 284 277 317 313 318 374 413 405 355 306 271 306
315 301 356 348 355 422 465 467 404 347 305 336 340 318 362 348 363 435 491 505 404 359 310 337
360 342 406 396 420 472 548 559 463 407 362 405 417 391 419 461 472 535 622 606 508 461 390 432
"""


def test_the_example_builds_and_forecasts(
    modelyard: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    text = PAGE.read_text()
    files = dict(re.findall(r"^`(\S+)`.*?:\n\n```\w+\n(.*?)```", text, re.MULTILINE | re.DOTALL))
    assert set(files) == {"data/air.csv", "data/air.sql", "modelyard.toml", "models/passengers/model.py"}
    months = [f"{1949 + at // 12}-{at % 12 + 1:02}-01,{n}" for at, n in enumerate(PASSENGERS.split())]
    whole = "\n".join(["month,passengers", *months]) + "\n"
    assert whole.startswith(files["data/air.csv"])
    for path, content in {**files, "data/air.csv": whole}.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(content)
    model = tmp_path / "models" / "passengers"
    (model / "requirements.model").write_text(f"scikit-learn=={version('scikit-learn')}\n")
    (model / "test_model.py").write_text(
        "import model\n\n\ndef test_it_trains():\n    assert callable(model.train)\n"
    )
    code, output, complaint = modelyard("-C", tmp_path, "build")
    assert code == 0, complaint
    assert "24 held back" in output
    code, output, complaint = modelyard("-C", tmp_path, "evaluate", "passengers")
    assert code == 0, complaint
    told = text[text.index("metric    ") : text.index("passed: mape")]
    assert told in output
    rows = re.findall(r"\$ cat next.csv\n(.*?)\$", text, re.DOTALL)[0]
    (tmp_path / "next.csv").write_text(rows)
    code, output, complaint = modelyard(
        "-C", tmp_path, "predict", "passengers", tmp_path / "next.csv", "--json"
    )
    assert code == 0, complaint
    assert f"{json.loads(output)['prediction'][0]}"[:8] in text
