"""LitServe with batching: ``serve_litserve.py CSV KIND PORT``."""

import sys

import litserve
import numpy as np
from fit import fit


class Api(litserve.LitAPI):
    def setup(self, device):  # noqa: ARG002
        self.model, self.names = fit(sys.argv[1], sys.argv[2])

    def decode_request(self, request):
        return np.array([[row[name] for name in self.names] for row in request["rows"]])

    def batch(self, inputs):
        return inputs

    def predict(self, batch):
        probability = self.model.predict_proba(np.concatenate(batch))
        labels = self.model.classes_[probability.argmax(axis=1)]
        given, at = [], 0
        for each in batch:
            end = at + len(each)
            given.append({"prediction": labels[at:end].tolist(), "probability": probability[at:end].tolist()})
            at = end
        return given

    def unbatch(self, output):
        return output

    def encode_response(self, output):
        return output


if __name__ == "__main__":
    server = litserve.LitServer(
        Api(max_batch_size=64, batch_timeout=0.001), accelerator="cpu", workers_per_device=1
    )
    server.run(
        host="127.0.0.1",
        port=int(sys.argv[3]),
        num_api_servers=1,
        log_level="warning",
        generate_client_file=False,
    )
