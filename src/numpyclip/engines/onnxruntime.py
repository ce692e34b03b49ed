"""ONNX Runtime: Microsoft's runtime, with an execution provider for each kind of device."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from numpyclip.arguments import Precision
from numpyclip.engines.engine import CachedGraph, Engine, Session
from numpyclip.errors import EngineError
from numpyclip.model.ops import Array

_CPU, _CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
# Of each device the providers that may compute there, in order, and the package that brings the first one.
_PROVIDERS = {
    "cpu": ([_CPU], "onnxruntime"),
    "cuda": ([_CUDA], "onnxruntime-gpu"),
    "rocm": (["MIGraphXExecutionProvider", "ROCMExecutionProvider"], "onnxruntime-rocm"),
    "directml": (["DmlExecutionProvider"], "onnxruntime-directml"),
    "coreml": (["CoreMLExecutionProvider"], "onnxruntime"),
}
_PROVIDERS["gpu"] = (
    [name for device in ("cuda", "rocm", "directml") for name in _PROVIDERS[device][0]],
    "onnxruntime-gpu",
)
_OPTIONS = {_CUDA: {"use_tf32": "0"}}  # float32 is float32
_SMALL = 1024  # bytes of constants that stay in the graph
_TYPES = {"tensor(int64)": np.int64, "tensor(int32)": np.int32, "tensor(uint8)": np.uint8, "tensor(float)": np.float32}


class ONNXRuntime(Engine):
    """Graphs compiled by ONNX Runtime."""

    name = "onnxruntime"
    devices: ClassVar[Mapping[str, tuple[Precision, ...]]] = {
        "cpu": ("float32", "int8"),
        **{name: ("float32", "float16", "int8") for name in _PROVIDERS if name not in ("cpu", "coreml")},
        "coreml": ("float16",),  # which it takes for float32, too, where it runs on more than the CPU
    }

    @property
    def can_cache(self) -> bool:
        """Whether compiled graphs can be written to files: weights that were packed for the processor."""
        return self.device == "cpu"

    @classmethod
    def available(cls) -> list[str]:
        """List the devices for which it has providers here."""
        providers = cls.library().get_available_providers()
        return [name for name, (known, _) in _PROVIDERS.items() if name != "gpu" and set(known) & set(providers)]

    @classmethod
    def package(cls, device: str) -> str:
        """Return the package that has a device."""
        return _PROVIDERS[device.partition(":")[0]][1]

    def check(self) -> None:
        """Raise EngineError unless the library has a provider for the device."""
        _ = self._provider

    def compile(self, graph: Path, threads: int, cache: Path | None) -> tuple[Session, bytes]:
        """Compile a graph; write the weights, as its layers want them, to the file `cache`, and return the graph."""
        options = _session_options(threads)
        optimized = None if cache is None else cache.with_name(f"{cache.name}.onnx")
        if cache is not None:
            options.optimized_model_filepath = str(optimized)
            _set(
                options,
                optimized_model_external_initializers_file_name=cache.name,
                optimized_model_external_initializers_min_size_in_bytes=_SMALL,
                save_external_prepacked_constant_initializers=1,
            )
        session = self._session(str(graph), options)
        return session, b"" if optimized is None else optimized.read_bytes()

    def open(self, cached: CachedGraph, threads: int) -> Session:
        """Make a session of a file, whose weights stay memory-mapped."""
        options = _session_options(threads)
        options.graph_optimization_level = self.library().GraphOptimizationLevel.ORT_DISABLE_ALL  # they were done
        _set(options, model_external_initializers_file_folder_path=cached.path.parent)
        return self._session(cached.graph, options)

    @property
    def _provider(self) -> str:
        name, _, _ = self.device.partition(":")
        wanted, package = _PROVIDERS[name]
        available: list[str] = self.library().get_available_providers()
        for provider in wanted:
            if provider in available:
                return provider
        remedy = f"comes with {package}. Install it in place of the other package, or leave device out."
        if package == self.name:
            remedy = f"is not in {package} for this system. Leave device out."
        raise EngineError(
            f"onnxruntime: has no provider for {self.device!r} here, only {', '.join(available)}; {wanted[0]} {remedy}"
        )

    def _session(self, graph: bytes | str, options: Any) -> Session:
        """Make a session; raise EngineError if the library has silently chosen another provider."""
        library, provider, (_, _, index) = self.library(), self._provider, self.device.partition(":")
        given = {**_OPTIONS.get(provider, {}), **({"device_id": index} if index else {})}
        with self.errors():
            if provider == _CUDA and hasattr(library, "preload_dlls"):  # that pip has installed, say
                library.preload_dlls()
            session = library.InferenceSession(graph, options, providers=[(provider, given)])
        if (used := session.get_providers()[0]) != provider:
            raise EngineError(
                f"onnxruntime: computes with {used}, not with {provider}, which cannot be used here: its own message, "
                "above, says why. Install what it needs, or leave device out."
            )
        return _ONNXRuntimeSession(self, session)


class _ONNXRuntimeSession:
    def __init__(self, engine: ONNXRuntime, session: Any) -> None:
        self._engine = engine
        self._session = session
        self._input = session.get_inputs()[0]

    def __call__(self, inputs: NDArray[Any]) -> Array:
        given = np.ascontiguousarray(inputs, _TYPES.get(self._input.type, np.float32))
        with self._engine.errors():
            (output,) = self._session.run(None, {self._input.name: given})
        embeddings: Array = output.astype(np.float32, copy=False)
        return embeddings


def _session_options(threads: int) -> Any:
    options = ONNXRuntime.library().SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors
    return options


def _set(options: Any, **entries: object) -> None:
    for name, value in entries.items():
        options.add_session_config_entry(f"session.{name}", str(value))
