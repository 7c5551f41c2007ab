"""The environment of ``locks/mlflow.txt``, which the tests of the MLflow form use as well."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
LOCK = ROOT / "locks" / "mlflow.txt"


def peer_python() -> Path:
    """Its Python; the environment is made at first use."""
    version = hashlib.sha256(LOCK.read_bytes() + sys.version.encode()).hexdigest()[:12]
    home = ROOT / ".cache" / "envs" / f"mlflow-{version}"
    python = home / "bin" / "python"
    if not (home / "ready").exists():
        uv = shutil.which("uv") or str(Path(sys.executable).parent / "uv")
        subprocess.run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(home)], check=True)
        install = [
            uv,
            "pip",
            "install",
            "--quiet",
            "--python",
            str(python),
            "--require-hashes",
            "-r",
            str(LOCK),
        ]
        subprocess.run(install, check=True)
        (home / "ready").touch()
    return python
