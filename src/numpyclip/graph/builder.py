"""An ONNX graph under construction: its nodes, weights and names."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import onnx
from numpy.typing import ArrayLike, NDArray
from onnx import TensorProto

from numpyclip.arguments import Precision, checked_precision
from numpyclip.errors import InputError, quoted
from numpyclip.graph.weight_file import WeightFile
from numpyclip.weights.dtypes import narrow_to_bfloat16, narrow_to_float16
from numpyclip.weights.int8 import round_to_int8, row_scales

# Opset 17 is the first with `LayerNormalization`, and all that is needed; any runtime since 2022 has it. Later ones
# bring `Gelu` (20) and `Attention` (23), which runtimes make of the older operators themselves.
OPSET = 17
_IR_VERSION = 8  # of the same year

Value: TypeAlias = str  # the name of what flows between nodes


class Graph:
    """A graph, seen from one module of the checkpoint, with whose name all new names begin.

    Equal constants are stored once, and a node is not added twice: equal inputs make equal outputs.

    Parameters
    ----------
    precision : {"float32", "bfloat16", "float16", "int8"}, default="float32"
        "float16" computes in float16. The others compute in float32; matrices are stored as bfloat16, or as int8 with a
        scale for each row.
    weights : WeightFile, optional
        Where large weights are written, which are else part of the model.

    Attributes
    ----------
    name : str
        Name of the module, "" at the root.
    """

    def __init__(self, precision: Precision = "float32", weights: WeightFile | None = None) -> None:
        self.name = ""
        self._precision = checked_precision(precision)
        self._weights = weights
        self._float: int = TensorProto.FLOAT16 if precision == "float16" else TensorProto.FLOAT
        self._model = onnx.ModelProto(ir_version=_IR_VERSION, producer_name="NumPyCLIP")
        self._model.opset_import.add(version=OPSET)
        self._names: set[str] = set()
        self._made: dict[object, list[Value]] = {}

    def at(self, name: object) -> Graph:
        """Return the same graph, seen from a module within this one."""
        inner = copy.copy(self)
        inner.name = self._within(str(name))
        return inner

    def in_float32(self) -> Graph:
        """Return the same graph, in which float32 is float32 whatever the precision."""
        wide = copy.copy(self)
        wide._float = TensorProto.FLOAT
        return wide

    def input(self, name: str, dtype: type[np.generic], shape: Sequence[int | str]) -> Value:
        """Add an input, converted to the precision if it is floating point; a name in its shape is one that varies."""
        self._names.add(name)
        info = onnx.helper.make_tensor_value_info(name, _data_type(np.dtype(dtype)), shape)
        self._model.graph.input.append(info)
        return self.as_float(name) if dtype == np.float32 and self._float != TensorProto.FLOAT else name

    def output(self, name: str, value: Value, shape: Sequence[int | str]) -> onnx.ModelProto:
        """Add the output, of float32; return the model, which is complete."""
        nodes = self._model.graph.node
        if self._float == TensorProto.FLOAT and nodes and nodes[-1].output[:] == [value]:
            nodes[-1].output[0] = name
        else:
            nodes.append(onnx.helper.make_node("Cast", [value], [name], name, to=TensorProto.FLOAT))
        self._model.graph.output.append(onnx.helper.make_tensor_value_info(name, TensorProto.FLOAT, shape))
        self._model.graph.name = name
        return self._model

    def weight(self, name: str, array: NDArray[Any]) -> Value:
        """Add a weight of the module."""
        if array.dtype != np.float32 or self._float == TensorProto.FLOAT:
            return self._store_as(name, array, _data_type(array.dtype))
        try:
            return self._store_as(name, narrow_to_float16(array), self._float)
        except OverflowError as error:
            raise InputError(f"{quoted(self._within(name))}: {error} for float16. Use another precision.") from error

    def product(self, x: Value, weight: NDArray[np.float32], bias: NDArray[np.float32] | None) -> Value:
        """Multiply rows by the module's matrix (e, d), and add its bias (e,): (rows, d) -> (rows, e).

        Matrices of int8 are stored as (d, e): in this form runtimes multiply by them without converting them first.
        """
        biases = () if bias is None else (self.weight("bias", bias),)
        if self._precision != "int8":
            return self.op("Gemm", x, self.matrix("weight", weight), *biases, name="", transB=1)
        y = self.op("MatMul", x, self._dequantized("weight", weight, axis=1), name="")
        return self.op("Add", y, *biases) if biases else y

    def matrix(self, name: str, array: NDArray[np.float32]) -> Value:
        """Add a matrix (e, d), some of them (h, e, d), or the kernel (e, c, k, k) of a convolution."""
        if self._precision == "bfloat16":
            return self.as_float(self._store_bfloat16(name, array))
        if self._precision != "int8":
            return self.weight(name, array)
        rows = array.reshape(-1, array.shape[-1]) if array.ndim == 3 else array
        wide = self._dequantized(name, rows, axis=0)
        return self.op("Reshape", wide, array.shape) if array.ndim == 3 else wide

    def constant(self, array: ArrayLike) -> Value:
        """Add an array that is no weight: of floating point, int64 or bool."""
        array = np.asarray(array)
        array = array.astype({"f": np.float32, "i": np.int64}.get(array.dtype.kind, array.dtype), copy=False)
        key = self._float, array.dtype.str, array.shape, array.tobytes()
        if key not in self._made:
            self._made[key] = [self.weight("constant", array)]
        return self._made[key][0]

    def shape(self, *sizes: int | Value) -> Value:
        """Join sizes, of which those that vary are of shape (1,), to a shape: (n,)."""
        if all(isinstance(size, int) for size in sizes):
            return self.constant(sizes)
        if len(sizes) == 1:
            return str(sizes[0])
        return self.op("Concat", *(size if isinstance(size, str) else [size] for size in sizes), axis=0)

    def rows(self, name: str, table: NDArray[np.floating[Any]], indices: Value) -> Value:
        """Add a table of embeddings, and take some of its rows: (...) -> (..., d).

        It stays in the file's dtype if that is float16.
        """
        if self._precision == "int8":
            wide = table.astype(np.float32)
            numbers, scales = self.weight(name, round_to_int8(wide)), self.weight(f"{name}_scale", row_scales(wide))
            taken = self.as_float(self.op("Gather", numbers, indices))
            return self.op("Mul", taken, self.op("Unsqueeze", self.op("Gather", scales, indices), [-1]))
        if self._precision == "bfloat16":
            return self.as_float(self.op("Gather", self._store_bfloat16(name, table.astype(np.float32)), indices))
        if table.dtype == np.float16 and self._precision == "float32":
            return self.as_float(self.op("Gather", self._store_as(name, table, TensorProto.FLOAT16), indices))
        return self.op("Gather", self.weight(name, table.astype(np.float32)), indices)

    def as_float(self, x: Value) -> Value:
        """Convert to the floating point that all is computed in."""
        return self.op("Cast", x, to=self._float)

    def convert(self, x: Value, other: Graph) -> Value:
        """Convert from the floating point that all is computed in when the graph is seen as another."""
        return x if self._float == other._float else self.as_float(x)

    def cast(self, x: Value, dtype: type[np.generic]) -> Value:
        """Convert to another dtype."""
        return self.op("Cast", x, to=_data_type(np.dtype(dtype)))

    def op(self, kind: str, *inputs: Value | ArrayLike, name: str | None = None, **attributes: Any) -> Value:
        """Add a node with one output.

        Parameters
        ----------
        kind : str
            An operator of ONNX.
        *inputs
            What the node reads; arrays are added as constants.
        name : str, optional
            Of the node within the module, `kind` by default; "" is the module itself.
        **attributes
            Those of the operator.
        """
        return self._add(kind, inputs, name, 1, attributes)[0]

    def split(self, x: Value, parts: int, axis: int) -> list[Value]:
        """Split an array in equal parts along an axis whose length is known."""
        return self._add("Split", [x], None, parts, {"axis": axis})

    def _add(
        self, kind: str, inputs: Sequence[Value | ArrayLike], name: str | None, outputs: int, attributes: dict[str, Any]
    ) -> list[Value]:
        values = [value if isinstance(value, str) else self.constant(value) for value in inputs]
        key = kind, tuple(values), repr(attributes)
        if key not in self._made:
            node = self._unique(self._within(kind if name is None else name))
            made = [node] if outputs == 1 else [self._unique(f"{node}.{index}") for index in range(outputs)]
            self._model.graph.node.append(onnx.helper.make_node(kind, values, made, node, **attributes))
            self._made[key] = made
        return self._made[key]

    def _dequantized(self, name: str, rows: NDArray[np.float32], axis: int) -> Value:
        """Add a matrix of int8, whose rows have a scale each, and become this axis."""
        numbers = self.weight(name, np.moveaxis(round_to_int8(rows), 0, axis))
        scales = self.weight(f"{name}_scale", row_scales(rows))
        return self.op("DequantizeLinear", numbers, scales, name=f"{name}.DequantizeLinear", axis=axis)

    def _store_bfloat16(self, name: str, array: NDArray[np.float32]) -> Value:
        return self._store_as(name, narrow_to_bfloat16(array), TensorProto.BFLOAT16)

    def _store_as(self, name: str, array: NDArray[Any], data_type: int) -> Value:
        unique = self._unique(self._within(name))
        tensor = self._model.graph.initializer.add(name=unique, data_type=data_type, dims=array.shape)
        data = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
        if self._weights is None or not self._weights.add(tensor, data):
            tensor.raw_data = data.tobytes()
        return unique

    def _within(self, name: str) -> str:
        return ".".join(filter(None, (self.name, name)))

    def _unique(self, name: str) -> str:
        unique, count = name, 0
        while unique in self._names:
            count += 1
            unique = f"{name}_{count}"
        self._names.add(unique)
        return unique


def _data_type(dtype: np.dtype[Any]) -> int:
    return int(onnx.helper.np_dtype_to_tensor_dtype(dtype))
