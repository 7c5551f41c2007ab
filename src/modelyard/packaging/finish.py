"""The last touch on a converted graph: one output, guarded, and the same bytes for the same model."""

from __future__ import annotations

from typing import Any

import onnx
from onnx import TensorProto, helper

from modelyard.packaging.operators import GUARD


def finish(graph: Any, *, regression: bool, spare: int = 0) -> bytes:
    """Serialised, checked bytes of the model with the one output ``number`` or ``probability``, double.

    Rows that the guard marks come out as NaN. ``spare`` columns are taken off the inputs' widths again. Names are numbered in order, and producer, docs and
    metadata are cleared, so that two conversions of equal models are equal.
    """
    main = graph.graph
    source = main.output[-1]
    name = "number" if regression else "probability"
    current = source.name
    del main.output[:]
    if source.type.tensor_type.elem_type != TensorProto.DOUBLE:
        main.node.append(helper.make_node("Cast", [current], ["as_double"], to=TensorProto.DOUBLE))
        current = "as_double"
    if any(GUARD in node.output for node in main.node):
        main.node.append(helper.make_node("Add", [current, GUARD], [name]))
    else:
        main.node.append(helper.make_node("Identity", [current], [name]))
    width = source.type.tensor_type.shape.dim
    last = width[1].dim_value if len(width) > 1 and width[1].dim_value else None
    main.output.append(helper.make_tensor_value_info(name, TensorProto.DOUBLE, ["n", last]))
    for entry in main.input:
        entry.type.tensor_type.shape.dim[1].dim_value -= spare
    _prune(main)
    _renumber(main, name)
    graph.producer_name = graph.producer_version = graph.domain = graph.doc_string = ""
    graph.model_version = 0
    graph.ir_version = min(graph.ir_version, 10)
    del graph.metadata_props[:]
    main.name, main.doc_string = "model", ""
    del main.value_info[:]
    onnx.checker.check_model(graph, full_check=False)
    return bytes(graph.SerializeToString(deterministic=True))


def _prune(main: Any) -> None:
    """Drop the nodes and initializers that the output does not need (labels, mostly)."""
    needed = {output.name for output in main.output}
    kept = []
    for node in reversed(_sorted(main)):
        if needed & set(node.output):
            kept.append(node)
            needed |= set(node.input)
    initializers = [entry for entry in main.initializer if entry.name in needed]
    inputs = [entry for entry in main.input if entry.name in needed]
    del main.node[:], main.initializer[:], main.input[:]
    main.node.extend(reversed(kept))
    main.initializer.extend(initializers)
    main.input.extend(inputs)


def _sorted(main: Any) -> list[Any]:
    """Nodes in an order in which every input is there before it is used."""
    ready = {entry.name for entry in (*main.input, *main.initializer)} | {""}
    waiting, done = list(main.node), []
    while waiting:
        now = [node for node in waiting if set(node.input) <= ready]
        if not now:
            raise ValueError("the converted graph has a cycle or a tensor that nothing makes")
        done += now
        ready |= {name for node in now for name in node.output}
        waiting = [node for node in waiting if not set(node.output) <= ready]
    return done


def _renumber(main: Any, output: str) -> None:
    names = {entry.name: entry.name for entry in main.input} | {output: output, "": ""}
    for entry in main.initializer:
        entry.name = names.setdefault(entry.name, f"c{len(names)}")
    for at, node in enumerate(main.node):
        for place, old in enumerate(node.output):
            # an output that nothing reads keeps its place and needs a name of its own
            node.output[place] = names.setdefault(old, f"t{len(names)}") if old else ""
        node.name, node.doc_string = f"{node.op_type}_{at}", ""
    for node in main.node:
        for place, old in enumerate(node.input):
            node.input[place] = names[old]
