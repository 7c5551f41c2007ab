"""Several compiled regressors as one graph: a column of the output each."""

from __future__ import annotations

from collections.abc import Sequence

import onnx
from onnx import TensorProto, helper

from modelyard.packaging.finish import finish

_OUTPUT = "number"


def together(graphs: Sequence[bytes]) -> bytes:
    """One graph with the inputs of all and the output ``number`` [n, graphs], which ``packaging.convert`` made
    apart for the same schema."""
    joined = onnx.load_from_string(graphs[0])
    main = joined.graph
    inputs = {entry.name: entry for entry in main.input}
    del main.node[:], main.initializer[:], main.input[:], main.output[:]
    columns = []
    for at, content in enumerate(graphs):
        one = onnx.load_from_string(content).graph
        shared = {entry.name: entry for entry in one.input}
        inputs |= shared
        for entry in one.initializer:
            entry.name = f"m{at}_{entry.name}"
        for node in one.node:
            for names in (node.input, node.output):
                names[:] = [name if name in shared or not name else f"m{at}_{name}" for name in names]
        main.initializer.extend(one.initializer)
        main.node.extend(one.node)
        columns.append(f"m{at}_{_OUTPUT}")
    main.input.extend(inputs[name] for name in sorted(inputs))
    main.node.append(helper.make_node("Concat", columns, ["columns"], axis=1))
    main.output.append(helper.make_tensor_value_info("columns", TensorProto.DOUBLE, ["n", len(graphs)]))
    return finish(joined, regression=True)
