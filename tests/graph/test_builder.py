"""Names, constants and precisions of a graph that is built by hand."""

from typing import Any

import numpy as np
import onnx
import pytest

from numpyclip.errors import InputError
from numpyclip.graph.builder import Graph
from tests.graph.runtime import run


def names_in(model: Any) -> tuple[list[str], list[str]]:
    """Of nodes and of weights."""
    return [node.name for node in model.graph.node], [tensor.name for tensor in model.graph.initializer]


def test_names_begin_with_those_of_the_modules() -> None:
    g = Graph()
    x = g.input("x", np.float32, ("batch", 2))
    inner = g.at("visual").at("resblocks.0")
    y = inner.op("Gemm", x, inner.weight("weight", np.eye(2, dtype=np.float32)), name="")
    y = inner.op("Relu", inner.op("Neg", y))
    nodes, weights = names_in(g.output("y", inner.op("Relu", y), ("batch", 2)))
    module = "visual.resblocks.0"
    assert nodes == [module, f"{module}.Neg", f"{module}.Relu", f"{module}.Relu_1"]
    assert weights == [f"{module}.weight"]


def test_equal_constants_are_stored_once_and_equal_nodes_added_once() -> None:
    g = Graph()
    x = g.input("x", np.float32, ("batch", 2))
    first, second = (g.at(name).op("Add", x, 0.5) for name in "ab")
    assert first == second == "a.Add"
    assert g.op("Add", first, np.float64(0.5)) != first
    assert g.op("Reshape", x, [-1, 2]) != g.op("Reshape", x, [2, -1])
    assert g.split(x, 2, axis=1) == ["Split.0", "Split.1"] == g.split(x, 2, axis=1)
    nodes, constants = names_in(g.output("y", first, ("batch", 2)))
    assert len(nodes) == 6
    assert len(constants) == 3
    assert {tensor.data_type for tensor in g.output("z", first, ()).graph.initializer} == {
        onnx.TensorProto.FLOAT,
        onnx.TensorProto.INT64,
    }


@pytest.mark.parametrize(("precision", "kinds"), [("float32", ["Neg"]), ("float16", ["Cast", "Neg", "Cast", "Cast"])])
def test_what_is_float32_is_converted_only_where_all_else_is_not(precision: Any, kinds: list[str]) -> None:
    g = Graph(precision)
    wide, x = g.in_float32(), g.constant(0.5)
    y = g.convert(wide.op("Neg", wide.convert(x, g)), wide)
    assert [node.op_type for node in g.output("y", y, ()).graph.node] == kinds


MATRIX = np.random.default_rng(0).standard_normal((4, 6), np.float32)


@pytest.mark.parametrize(
    ("precision", "error", "stored"),
    [("float32", 0, "FLOAT"), ("float16", 1e-3, "FLOAT16"), ("bfloat16", 5e-3, "BFLOAT16"), ("int8", 1e-2, "INT8")],
)
@pytest.mark.parametrize("shape", [(4, 6), (2, 2, 6), (4, 3, 1, 2)])
def test_a_matrix_is_stored_in_the_precision(precision: Any, error: float, stored: str, shape: tuple[int, ...]) -> None:
    """A scale is of a row, also where the rows are of several matrices."""
    g = Graph(precision)
    model = g.output("y", g.matrix("weight", MATRIX.reshape(shape)), shape)
    assert model.graph.initializer[0].data_type == getattr(onnx.TensorProto, stored)
    found = run(model)
    np.testing.assert_allclose(found, MATRIX.reshape(shape), atol=error * np.abs(MATRIX).max())


@pytest.mark.parametrize("precision", ["float32", "float16", "bfloat16", "int8"])
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_rows_of_a_table_are_floating_point(precision: Any, dtype: type[np.floating[Any]]) -> None:
    g = Graph(precision)
    model = g.output("y", g.rows("table", MATRIX.astype(dtype), g.input("ids", np.int64, ("b", "n"))), ("b", "n", 6))
    found = run(model, np.array([[0, 3], [1, 1]]))
    np.testing.assert_allclose(found, MATRIX[[[0, 3], [1, 1]]], atol=0.02)
    half = precision == "float16" or (precision == "float32" and dtype == np.float16)
    assert (model.graph.initializer[0].data_type == onnx.TensorProto.FLOAT16) == half


def test_a_number_that_float16_does_not_hold_is_refused_by_the_name_of_its_weight() -> None:
    with pytest.raises(InputError, match=r"'visual\.proj\.weight': 70000 is too large for float16\. Use another"):
        Graph("float16").at("visual.proj").weight("weight", np.array([1, 70000], np.float32))


def test_an_unknown_precision_is_refused() -> None:
    with pytest.raises(InputError, match="precision is 'float8'; expected 'float32', 'bfloat16', 'float16', 'int8'"):
        Graph("float8")  # type: ignore[arg-type]
