"""Several compiled models as one graph: a column of the output each."""

from __future__ import annotations

from collections.abc import Sequence

import onnx
from onnx import TensorProto, helper

from modelyard.packaging.finish import finish


def together(graphs: Sequence[bytes], *, labels: bool) -> bytes:
    """One graph with the inputs of all, which ``packaging.convert`` made apart for the same schema.

    Its output is ``number`` [n, graphs]; of ``labels``, each told by a classifier of yes and no, ``probability``.
    """
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
        columns.append(f"m{at}_{one.output[0].name}")
        if labels:
            main.node.append(helper.make_node("Gather", [columns[-1], "yes"], [f"m{at}_yes"], axis=1))
            columns[-1] = f"m{at}_yes"
    if labels:
        main.initializer.append(helper.make_tensor("yes", TensorProto.INT64, [1], [1]))
    main.input.extend(inputs[name] for name in sorted(inputs))
    main.node.append(helper.make_node("Concat", columns, ["columns"], axis=1))
    main.output.append(helper.make_tensor_value_info("columns", TensorProto.DOUBLE, ["n", len(graphs)]))
    return finish(joined, regression=not labels)
