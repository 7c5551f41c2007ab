"""A graph that somebody else made, as a package serves it: one input of numbers, one of texts, one output."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, compose, helper, numpy_helper

from modelyard.errors import Tampered, Unconvertible
from modelyard.records.package import Layout, Task

_PREFIX = "given/"
_NUMBERS = (TensorProto.FLOAT, TensorProto.DOUBLE, TensorProto.INT64, TensorProto.INT32, TensorProto.BOOL)
_REALS = (TensorProto.FLOAT, TensorProto.DOUBLE)


def adapt(content: bytes, layout: Layout, *, task: Task, classes: int, where: str) -> bytes:
    """The graph with inputs ``numbers`` and ``texts`` and the output ``probability`` or ``number``.

    It takes one matrix of all features, which are numbers then, or one input for each feature by its name. Of its
    outputs the one of probabilities answers, with a column a class, or the first of numbers for a regression. Raises
    ``Tampered`` for what is no graph, ``Unconvertible`` for one that takes or gives something else or keeps weights in
    other files.
    """
    try:
        model = onnx.load_model_from_string(content)
        if not model.graph.output:
            raise ValueError("it has no output")
    except Exception as error:
        raise Tampered(f"{where} is no ONNX graph: {str(error)[:200]}") from None
    for tensor in model.graph.initializer:
        if tensor.data_location == TensorProto.EXTERNAL:
            raise Unconvertible(
                f"{where} keeps the weights '{tensor.name}' in another file; save it as one file."
            )
    output = _without_maps(model, task, where)
    graph = compose.add_prefix(model, _PREFIX)
    main = graph.graph
    nodes, inputs = _inputs(main, layout, where)
    after, name = _output(_PREFIX + output.name, output, task, classes, where)
    ends = helper.make_tensor_value_info(
        name, TensorProto.DOUBLE, ["n", 1 if task == "regression" else classes]
    )
    body = [*nodes, *(node for node in main.node if node.op_type != "ZipMap"), *after]
    del main.node[:], main.input[:], main.output[:], main.value_info[:]
    main.node.extend(body)
    main.input.extend(inputs)
    main.output.append(ends)
    try:
        onnx.checker.check_model(graph, full_check=False)
    except onnx.checker.ValidationError as error:
        raise Tampered(f"{where} is no valid ONNX graph: {str(error)[:200]}") from None
    return bytes(graph.SerializeToString(deterministic=True))


def named_inputs(content: bytes) -> tuple[str, ...]:
    """The names of its inputs, where there is more than one; nothing for what is no graph."""
    try:
        main = onnx.load_model_from_string(content).graph
    except Exception:
        return ()
    held = {entry.name for entry in main.initializer}
    names = tuple(entry.name for entry in main.input if entry.name not in held)
    return names if len(names) > 1 else ()


def _without_maps(model: Any, task: Task, where: str) -> Any:
    """The output that answers; skl2onnx's list of maps is the matrix that it was made of."""
    made = {name: node for node in model.graph.node for name in node.output}
    found = []
    for output in model.graph.output:
        maker = made.get(output.name)
        if maker is not None and maker.op_type == "ZipMap":
            found.append(helper.make_tensor_value_info(maker.input[0], TensorProto.FLOAT, ["n", None]))
        elif output.type.tensor_type.elem_type in _REALS:
            found.append(output)
    if not found:
        what = "numbers" if task == "regression" else "probabilities"
        raise Unconvertible(f"{where} has no output of {what}.")
    named = [output for output in found if "prob" in output.name.lower()]
    return (named or found)[0] if task != "regression" else found[0]


def _inputs(main: Any, layout: Layout, where: str) -> tuple[list[Any], list[Any]]:
    held = {entry.name for entry in main.initializer}
    wanted = [entry for entry in main.input if entry.name not in held]
    inputs, nodes = [], []
    if layout.numbers:
        inputs.append(
            helper.make_tensor_value_info("numbers", TensorProto.DOUBLE, ["n", len(layout.numbers)])
        )
    if layout.texts:
        inputs.append(helper.make_tensor_value_info("texts", TensorProto.STRING, ["n", len(layout.texts)]))
    by_name = {entry.name.removeprefix(_PREFIX): entry for entry in wanted}
    if set(by_name) == {*layout.numbers, *layout.texts}:
        for source, names in (("numbers", layout.numbers), ("texts", layout.texts)):
            for at, name in enumerate(names):
                index = f"{name}/at"
                main.initializer.append(numpy_helper.from_array(np.array([at]), index))
                column = by_name[name].name if source == "texts" else f"{name}/column"
                nodes.append(helper.make_node("Gather", [source, index], [column], axis=1))
                if source == "numbers":
                    kind = by_name[name].type.tensor_type.elem_type
                    nodes.append(helper.make_node("Cast", [column], [by_name[name].name], to=kind))
        return nodes, inputs
    if len(wanted) != 1 or layout.texts or wanted[0].type.tensor_type.elem_type not in _NUMBERS:
        takes = ", ".join(by_name) or "nothing"
        raise Unconvertible(
            f"{where} takes {takes}; it must take one matrix of numbers, or the features of the dataset by their names."
        )
    width = wanted[0].type.tensor_type.shape.dim
    if len(width) == 2 and width[1].dim_value not in (0, len(layout.numbers)):
        raise Unconvertible(
            f"{where} takes {width[1].dim_value} columns, and the dataset has {len(layout.numbers)} features."
        )
    kind = wanted[0].type.tensor_type.elem_type
    return [helper.make_node("Cast", ["numbers"], [wanted[0].name], to=kind)], inputs


def _output(source: str, output: Any, task: Task, classes: int, where: str) -> tuple[list[Any], str]:
    name = "number" if task == "regression" else "probability"
    nodes = [helper.make_node("Cast", [source], ["as_double"], to=TensorProto.DOUBLE)]
    if task == "regression":
        shape = helper.make_node(
            "Constant", [], ["one_column"], value=numpy_helper.from_array(np.array([-1, 1]))
        )
        return [*nodes, shape, helper.make_node("Reshape", ["as_double", "one_column"], [name])], name
    width = [d.dim_value for d in output.type.tensor_type.shape.dim]
    if len(width) == 2 and width[1] in (0, classes):
        return [*nodes, helper.make_node("Identity", ["as_double"], [name])], name
    if classes == 2 and (len(width) == 1 or width[1:] == [1]):  # the probability of the last class
        one = numpy_helper.from_array(np.array(1.0))
        shape = numpy_helper.from_array(np.array([-1, 1]))
        return [
            *nodes,
            helper.make_node("Constant", [], ["one"], value=one),
            helper.make_node("Constant", [], ["one_column"], value=shape),
            helper.make_node("Reshape", ["as_double", "one_column"], ["last"]),
            helper.make_node("Sub", ["one", "last"], ["first"]),
            helper.make_node("Concat", ["first", "last"], [name], axis=1),
        ], name
    raise Unconvertible(
        f"{where} gives {width[1:] or width} numbers a row, and the target has {classes} classes."
    )
