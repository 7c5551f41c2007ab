"""MLServer with adaptive batching: ``serve_mlserver.py CSV KIND PORT FOLDER``."""

import json
import os
import sys
from pathlib import Path

import joblib
from fit import fit

if __name__ == "__main__":
    model, _ = fit(sys.argv[1], sys.argv[2])
    folder = Path(sys.argv[4])
    folder.mkdir(parents=True, exist_ok=True)
    joblib.dump(model, folder / "model.joblib")
    port = int(sys.argv[3])
    settings = {
        "host": "127.0.0.1",
        "http_port": port,
        "grpc_port": port + 1,
        "metrics_port": port + 2,
        "parallel_workers": 0,
        "debug": False,
    }
    (folder / "settings.json").write_text(json.dumps(settings))
    told = {
        "name": "m",
        "implementation": "mlserver_sklearn.SKLearnModel",
        "parameters": {"uri": "./model.joblib"},
        "max_batch_size": 64,
        "max_batch_time": 0.001,
    }
    (folder / "model-settings.json").write_text(json.dumps(told))
    os.execv(str(Path(sys.executable).parent / "mlserver"), ["mlserver", "start", str(folder)])
