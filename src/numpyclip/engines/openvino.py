"""OpenVINO: Intel's runtime, for processors of Intel, AMD and Arm, and Intel's GPUs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from numpyclip.arguments import PRECISIONS, Precision
from numpyclip.engines.engine import CachedGraph, Engine, PrecisionError, Session
from numpyclip.errors import EngineError
from numpyclip.model.ops import Array

_HINTS: dict[Precision, str] = {"float32": "f32", "bfloat16": "bf16", "float16": "f16"}
_GROUP = 32  # numbers that share a scale
_CAPABILITIES: dict[Precision, str] = {"float32": "FP32", "bfloat16": "BF16", "float16": "FP16", "int8": "INT8"}


class OpenVINO(Engine):
    """Graphs compiled by OpenVINO. Its default of bfloat16 where the processor has it is off."""

    name = "openvino"
    devices: ClassVar[Mapping[str, tuple[Precision, ...]]] = {  # NPUs take no graph whose inputs vary in size
        "cpu": PRECISIONS,
        "gpu": ("float32", "float16", "int8"),
    }

    @classmethod
    def available(cls) -> list[str]:
        """List the devices that it has here, of those that can compute these graphs."""
        with cls("cpu", "float32").errors():
            names = [name.lower().replace(".", ":") for name in _core().available_devices]
        return [name for name in names if name.partition(":")[0] in cls.devices]

    def check(self) -> None:
        """Raise EngineError unless the device is here, and has the precision."""
        if (self._device, self.precision) == ("CPU", "float32"):
            return  # as everywhere
        with self.errors():
            available = ["cpu"] if self._device == "CPU" else self.available()  # which looks for drivers
            if not any(name == self.device or name.startswith(f"{self.device}:") for name in available):
                raise EngineError(f"openvino: has no device {self.device!r} here; expected {_listed(available)}.")
            capabilities = _core().get_property(self._device, "OPTIMIZATION_CAPABILITIES")
        if _CAPABILITIES[self.precision] not in capabilities:
            raise PrecisionError(
                f"openvino: {self.device!r} does not compute in {self.precision} here. Leave precision out; "
                "`numpyclip engines` lists what is available."
            )

    def compile(self, graph: Path, threads: int, cache: Path | None) -> tuple[Session, bytes]:
        """Compile a graph, and write to the file `cache` all that is to be cached."""
        _check_threads()
        with self.errors():
            model = _core().read_model(graph)
            compiled = _core().compile_model(model, self._device, self._options(threads))
            if cache is not None:
                cache.write_bytes(compiled.export_model().getbuffer())
            return self._session(compiled, None), b""

    def open(self, cached: CachedGraph, threads: int) -> Session:
        """Make a session of a file, whose weights stay memory-mapped."""
        _check_threads()
        with self.errors():
            content = self.library().Tensor(np.frombuffer(cached.weights, np.uint8), shared_memory=True)
            return self._session(_core().import_model(content, self._device, self._options(threads)), content)

    @property
    def _device(self) -> str:
        name, _, index = self.device.partition(":")
        return f"{name.upper()}.{index}" if index else name.upper()

    @property
    def _hint(self) -> str:
        return _HINTS.get(self.precision, "f32" if self._device == "CPU" else "f16")

    def _options(self, threads: int) -> dict[str, Any]:
        options: dict[str, Any] = {"INFERENCE_PRECISION_HINT": self._hint, "PERFORMANCE_HINT": "LATENCY"}
        if self._device != "CPU":
            return options
        if self.precision == "int8":  # where the processor has VNNI or AMX, inputs of layers are rounded, too
            options["DYNAMIC_QUANTIZATION_GROUP_SIZE"] = _GROUP
        return {**options, "INFERENCE_NUM_THREADS": threads, "ENABLE_CPU_PINNING": False}

    def _session(self, compiled: Any, content: Any) -> Session:
        """Make a session; raise EngineError if the library has silently chosen another precision."""
        chosen = compiled.get_property("INFERENCE_PRECISION_HINT").to_string()
        if chosen != self._hint:
            raise EngineError(f"openvino: computes in {chosen} on {self.device!r} here, not in {self._hint}.")
        return _OpenVINOSession(self, compiled, content)


class _OpenVINOSession:
    def __init__(self, engine: OpenVINO, compiled: Any, content: Any) -> None:
        self._engine = engine
        self._content = content  # which the library maps, but does not keep
        self._request = compiled.create_infer_request()
        self._dtype = compiled.input(0).get_element_type().to_dtype()

    def __call__(self, inputs: NDArray[Any]) -> Array:
        with self._engine.errors():
            outputs = self._request.infer([np.ascontiguousarray(inputs, self._dtype)], share_inputs=True)
            return np.array(outputs[0], np.float32)


@cache
def _core() -> Any:
    return OpenVINO.library().Core()


@cache
def _process_of_threads() -> int:
    """Return the process in which the library has started threads, which is asked for before it does."""
    return os.getpid()


def _check_threads() -> None:
    """Raise EngineError in a process that was forked from one with the library's threads: it would wait for them."""
    if _process_of_threads() != os.getpid():
        raise EngineError(
            "openvino: cannot be used in a process that was forked from one that has used it. Fork before, or start "
            "processes with multiprocessing's 'spawn'."
        )


def _listed(devices: list[str]) -> str:
    return ", ".join(map(repr, devices)) or "none"
