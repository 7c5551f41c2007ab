from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def test_it_reports_to_nobody(built_once: Path, tmp_path: Path) -> None:
    """With telemetry the runtime makes a folder of its maker's below the home."""
    (package,) = [p for p in (built_once / ".modelyard" / "packages").iterdir() if p.is_dir()]
    code = (
        "import sys, time; from pathlib import Path; from modelyard.predictor import open_package\n"
        "from modelyard.predictor.runtime import onnxruntime\n"
        f"onnxruntime.InferenceSession({str(package / 'model' / 'model.onnx')!r}); time.sleep(0.5)\n"
    )
    environ = {k: v for k, v in os.environ.items() if k not in ("ORT_DISABLE_TELEMETRY", "XDG_CACHE_HOME")}
    done = subprocess.run(
        [sys.executable, "-c", code], env={**environ, "HOME": str(tmp_path)}, capture_output=True
    )
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.rglob("*")) == []
