"""An ONNX graph under construction: its nodes, weights and names."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import onnx
from numpy.typing import ArrayLike, NDArray

# Opset 17 is the first with `LayerNormalization`, and all that is needed; any runtime since 2022 has it. Later ones
# bring `Gelu` (20) and `Attention` (23), which runtimes make of the older operators themselves.
OPSET = 17
_IR_VERSION = 8  # of the same year

Value: TypeAlias = str  # the name of what flows between nodes


class Graph:
    """A graph, seen from one module of the checkpoint, with whose name all new names begin.

    Equal constants are stored once, and a node is not added twice: equal inputs make equal outputs.

    Attributes
    ----------
    name : str
        Name of the module, "" at the root.
    """

    def __init__(self) -> None:
        self.name = ""
        self._nodes: list[onnx.NodeProto] = []
        self._tensors: list[onnx.TensorProto] = []
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []
        self._names: set[str] = set()
        self._made: dict[object, list[Value]] = {}

    def at(self, name: object) -> Graph:
        """Return the same graph, seen from a module within this one."""
        inner = copy.copy(self)
        inner.name = self._within(str(name))
        return inner

    def input(self, name: str, dtype: type[np.generic], shape: Sequence[int | str]) -> Value:
        """Add an input; a name in its shape is a dimension that varies."""
        self._names.add(name)
        self._inputs.append(onnx.helper.make_tensor_value_info(name, _data_type(np.dtype(dtype)), shape))
        return name

    def output(self, name: str, value: Value, shape: Sequence[int | str]) -> None:
        """Add an output of float32."""
        self._nodes.append(onnx.helper.make_node("Identity", [value], [name], name))
        self._outputs.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape))

    def cast(self, x: Value, dtype: type[np.generic]) -> Value:
        """Convert to another dtype."""
        return self.op("Cast", x, to=_data_type(np.dtype(dtype)))

    def weight(self, name: str, array: NDArray[Any]) -> Value:
        """Add a weight of the module."""
        return self._store(self._within(name), array)

    def constant(self, array: ArrayLike) -> Value:
        """Add an array that is no weight: of float32, int64 or bool."""
        array = np.asarray(array)
        array = array.astype({"f": np.float32, "i": np.int64}.get(array.dtype.kind, array.dtype), copy=False)
        key = array.dtype.str, array.shape, array.tobytes()
        if key not in self._made:
            self._made[key] = [self._store(self._within("constant"), array)]
        return self._made[key][0]

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

    def model(self) -> onnx.ModelProto:
        """Return the model."""
        graph = onnx.helper.make_graph(
            self._nodes, self.name or "numpyclip", self._inputs, self._outputs, self._tensors
        )
        return onnx.helper.make_model(
            graph,
            opset_imports=[onnx.helper.make_opsetid("", OPSET)],
            ir_version=_IR_VERSION,
            producer_name="NumPyCLIP",
        )

    def _add(
        self, kind: str, inputs: Sequence[Value | ArrayLike], name: str | None, outputs: int, attributes: dict[str, Any]
    ) -> list[Value]:
        values = [value if isinstance(value, str) else self.constant(value) for value in inputs]
        key = kind, tuple(values), repr(attributes)
        if key not in self._made:
            node = self._unique(self._within(kind if name is None else name))
            made = [node] if outputs == 1 else [self._unique(f"{node}.{index}") for index in range(outputs)]
            self._nodes.append(onnx.helper.make_node(kind, values, made, node, **attributes))
            self._made[key] = made
        return self._made[key]

    def _store(self, name: str, array: NDArray[Any]) -> Value:
        tensor = onnx.TensorProto(name=self._unique(name), data_type=_data_type(array.dtype), dims=array.shape)
        tensor.raw_data = array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()
        self._tensors.append(tensor)
        return str(tensor.name)

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
