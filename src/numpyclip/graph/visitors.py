"""The registry of visitors: from the class of a layer or tower to the function that adds its nodes to a graph."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, TypeVar

from numpyclip.errors import InputError
from numpyclip.graph.builder import Graph, Value

_Visitor = TypeVar("_Visitor", bound=Callable[..., Value])

_visitors: dict[type, Callable[..., Value]] = {}


def visits(kind: type) -> Callable[[_Visitor], _Visitor]:
    """Register the function for parts of exactly this class: a subclass computes something else."""

    def register(visitor: _Visitor) -> _Visitor:
        _visitors[kind] = visitor
        return visitor

    return register


def visit(part: object, graph: Graph, *inputs: Any, **options: Any) -> Value:
    """Add the nodes of a part, in the module that the graph is seen from; return what the part computes.

    Raises
    ------
    InputError
        If no function is registered for its class.
    """
    kind = type(part)
    if kind not in _visitors:
        _import(kind.__module__.replace("numpyclip.model.", "numpyclip.graph.", 1))
    if kind not in _visitors:
        raise InputError(
            f"{graph.name or 'the text tower'}: {kind.__name__} cannot be written as an ONNX graph. "
            "Compute this model with NumPy."
        )
    return _visitors[kind](part, graph, *inputs, **options)


def _import(module: str) -> None:
    try:
        import_module(module)
    except ModuleNotFoundError as error:
        if not module.startswith(error.name or module):  # missed by a module that is there
            raise
