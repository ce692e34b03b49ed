"""Dataclasses of the package: which are immutable values, and which compare by identity."""

import dataclasses
import pkgutil
from importlib import import_module
from typing import Any

import pytest

import numpyclip

FILLED_STEP_BY_STEP = {
    *("Evaluation", "_Point", "Ended", "Watch", "Changes", "Report", "_Job", "ScriptObject", "Opaque", "Sample"),
    *("VideoDecoding", "Node", "_Element", "RequestRecord", "WorkerHandle"),
}
# how the names of their modules in `numpyclip.model` end, and those that stand elsewhere there
SIZES = ("config", "_configs")
SIZES_AND_OPTIONS = {"Decoding", "TokenLayout", "TokenStage", "TokenStages", "Ended", "_Beams"}
COMPARED_BY_PARTS = {"Ended", "_Beams", "_Image", "LinearWeights", "_Point"}


def records() -> list[Any]:
    names = {module.name for module in pkgutil.walk_packages(numpyclip.__path__, "numpyclip.")} - {"numpyclip.__main__"}
    found = []
    for name in sorted(names):
        if name.startswith("numpyclip.integrations."):  # whose frameworks are in an environment of their own
            continue
        found += [value for value in vars(import_module(name)).values() if getattr(value, "__module__", "") == name]
    return [record for record in found if isinstance(record, type) and dataclasses.is_dataclass(record)]


def holds_arrays(record: Any) -> bool:
    return any("Array" in str(field.type) or "ndarray" in str(field.type) for field in dataclasses.fields(record))


def holds_sizes(record: Any) -> bool:
    module: str = record.__module__
    return module.startswith("numpyclip.model.") and module.endswith(SIZES)


def options(record: Any) -> Any:
    return record.__dataclass_params__


@pytest.fixture(scope="module")
def all_records() -> list[Any]:
    pytest.importorskip("starlette", reason="the extra numpyclip[server] is not installed")
    pytest.importorskip("onnx", reason="the extra numpyclip[onnx] is not installed")
    pytest.importorskip("mcp_types", reason="the extra numpyclip[mcp] is not installed")
    return records()


def test_records_do_not_change_but_those_that_are_filled_step_by_step(all_records: list[Any]) -> None:
    assert {each.__name__ for each in all_records if not options(each).frozen} == FILLED_STEP_BY_STEP


def test_records_of_arrays_are_equal_to_themselves_only(all_records: list[Any]) -> None:
    """Arrays have no truth value, so that comparing two records of them by parts is an error."""
    of_arrays = [each for each in all_records if holds_arrays(each)]
    assert len(of_arrays) > 20
    assert {each.__name__ for each in of_arrays if options(each).eq} <= COMPARED_BY_PARTS


def test_layers_are_equal_to_themselves_only_and_print_no_weights(all_records: list[Any]) -> None:
    modules = ("numpyclip.model.", "numpyclip.dual_encoder.clip", "numpyclip.dual_encoder.coca")
    layers = [
        each
        for each in all_records
        if each.__module__.startswith(modules) and not holds_sizes(each) and each.__name__ not in SIZES_AND_OPTIONS
    ]
    assert len(layers) > 30
    for layer in layers:
        assert not options(layer).eq, layer
        assert not options(layer).repr, layer


def test_sizes_are_named_and_compared_by_value(all_records: list[Any]) -> None:
    sizes = [each for each in all_records if holds_sizes(each)]
    assert len(sizes) > 15
    for record in sizes:
        assert all(field.kw_only for field in dataclasses.fields(record)), record
        assert options(record).eq, record
        assert options(record).repr, record
