"""PyTorch's modules as an ONNX graph."""

from __future__ import annotations

import io
import logging
import warnings
from typing import Any

from modelyard.errors import Unconvertible
from modelyard.packaging.finish import finish
from modelyard.records.schema import Schema
from modelyard.tables.batch import layout

OPSET = 18


def convert(module: Any, schema: Schema, *, regression: bool) -> bytes:
    """The module over the schema's numbers as a graph for ``predictor.session``; nothing is proven here.

    The exporter that traces is used: the other one needs onnxscript, and gives nothing more for modules that take
    one matrix. Raises ``Unconvertible`` with the reason.
    """
    import onnx
    import torch

    names = layout(schema)
    if names.texts:
        raise Unconvertible(f"the module takes numbers, and '{names.texts[0]}' is a text")
    rows = torch.zeros(3, len(names.numbers))
    target = io.BytesIO()
    module.eval()
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            logging.getLogger("torch.onnx").setLevel(logging.ERROR)
            width = module(rows).shape[1:]
            torch.onnx.export(
                module,
                (rows,),
                target,
                dynamo=False,
                opset_version=OPSET,
                input_names=["single"],
                output_names=["given"],
                dynamic_axes={"single": {0: "n"}, "given": {0: "n"}},
            )
    except Exception as error:  # the exporter fails in its own ways; each is a reason to serve native
        line = (str(error).strip().splitlines() or ["no message"])[0]
        raise Unconvertible(f"torch.onnx cannot export it ({type(error).__name__}: {line[:300]})") from error
    graph = onnx.load_from_string(target.getvalue())
    _around(graph, len(names.numbers), alone=not regression and tuple(width) in ((), (1,)))
    return finish(graph, regression=regression)


def _around(graph: Any, width: int, *, alone: bool) -> None:
    """Float64 in and out, as every graph has it; ``alone`` is the probability of the last of two classes."""
    from onnx import TensorProto, helper

    main = graph.graph
    del main.input[:]
    main.input.append(helper.make_tensor_value_info("numbers", TensorProto.DOUBLE, ["n", width]))
    main.node.insert(0, helper.make_node("Cast", ["numbers"], ["single"], to=TensorProto.FLOAT))
    current = main.output[0].name
    if alone:
        main.initializer.append(helper.make_tensor("whole", TensorProto.FLOAT, [], [1.0]))
        main.initializer.append(helper.make_tensor("column", TensorProto.INT64, [2], [-1, 1]))
        main.node.append(helper.make_node("Reshape", [current, "column"], ["second"]))
        main.node.append(helper.make_node("Sub", ["whole", "second"], ["first"]))
        main.node.append(helper.make_node("Concat", ["first", "second"], ["both"], axis=1))
        current = "both"
        del main.output[:]
        main.output.append(helper.make_tensor_value_info(current, TensorProto.FLOAT, ["n", 2]))
