"""External data of a graph: the file with its large weights, beside it."""

from __future__ import annotations

from pathlib import Path
from typing import IO, Any

from numpy.typing import NDArray
from onnx import TensorProto

_LEAST_BYTES = 1024  # of a weight that is external data
_ALIGNMENT = 4096  # of weights, so that runtimes can map them


class WeightFile:
    """Weights that are written to a file as soon as they are made, and not kept.

    Parameters
    ----------
    file : binary file
    name : str
        Its name, beside the graph.
    """

    def __init__(self, file: IO[bytes], name: str) -> None:
        self._file = file
        self._name = name

    def add(self, tensor: TensorProto, data: bytes | NDArray[Any]) -> bool:
        """Write the data of a tensor, which then refers to it; return whether it is large enough."""
        size = data.nbytes if not isinstance(data, bytes) else len(data)
        if size < _LEAST_BYTES:
            return False
        self._file.write(bytes(-self._file.tell() % _ALIGNMENT))
        tensor.data_location = TensorProto.EXTERNAL
        for key, value in (("location", self._name), ("offset", self._file.tell()), ("length", size)):
            tensor.external_data.add(key=key, value=str(value))
        self._file.write(data)  # type: ignore[arg-type]  # an array is a buffer
        return True


def data_path(graph: Path) -> Path:
    """Return the file of a graph's external data."""
    return graph.with_name(f"{graph.name}_data")
