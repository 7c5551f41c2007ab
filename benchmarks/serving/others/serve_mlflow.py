"""MLflow's scoring server: ``serve_mlflow.py CSV KIND PORT FOLDER``."""

import os
import sys
from pathlib import Path

import mlflow.sklearn
from fit import fit

if __name__ == "__main__":
    model, _ = fit(sys.argv[1], sys.argv[2])
    mlflow.sklearn.save_model(
        model, sys.argv[4], pyfunc_predict_fn="predict_proba", serialization_format="cloudpickle"
    )
    command = [
        "models",
        "serve",
        "-m",
        sys.argv[4],
        "-p",
        sys.argv[3],
        "--env-manager",
        "local",
        "--workers",
        "1",
    ]
    os.execv(str(Path(sys.executable).parent / "mlflow"), ["mlflow", *command])
