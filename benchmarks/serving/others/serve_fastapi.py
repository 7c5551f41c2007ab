"""FastAPI and pydantic as people write it: ``serve_fastapi.py CSV KIND PORT``."""

import sys

import numpy as np
import uvicorn
from fastapi import FastAPI
from fit import fit
from pydantic import create_model

model, names = fit(sys.argv[1], sys.argv[2])
Row = create_model("Row", **dict.fromkeys(names, (float, ...)))
Request = create_model("Request", rows=(list[Row], ...))
app = FastAPI()


@app.post("/predict")
def predict(request: Request) -> dict:
    features = np.array([[getattr(row, name) for name in names] for row in request.rows])
    probability = model.predict_proba(features)
    labels = model.classes_[probability.argmax(axis=1)]
    return {"prediction": labels.tolist(), "probability": probability.tolist()}


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[3]), log_level="warning", access_log=False)
