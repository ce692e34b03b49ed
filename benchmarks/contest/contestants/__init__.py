"""One module per contestant, all with the same few methods. A contestant is loaded in a process of its own."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from contest.files import Checkpoint

T = TypeVar("T")


class Entry(NamedTuple):
    """A contestant's title, and its module, whose `load` takes the options."""

    title: str
    module: str
    options: Mapping[str, Any] = MappingProxyType({})


ENTRIES = {
    "numpyclip": Entry("NumPyCLIP", "numpyclip"),
    "numpyclip_draft": Entry("NumPyCLIP, draft=True", "numpyclip", {"draft": True}),
    "numpyclip_openvino": Entry("NumPyCLIP, OpenVINO float32", "numpyclip", {"engine": "openvino"}),
    "numpyclip_openvino_bf16": Entry(
        "NumPyCLIP, OpenVINO bfloat16", "numpyclip", {"engine": "openvino", "precision": "bfloat16"}
    ),
    "numpyclip_openvino_int8": Entry(
        "NumPyCLIP, OpenVINO int8", "numpyclip", {"engine": "openvino", "precision": "int8"}
    ),
    "numpyclip_onnxruntime": Entry("NumPyCLIP, ONNX Runtime float32", "numpyclip", {"engine": "onnxruntime"}),
    "numpyclip_openvino_draft": Entry(
        "NumPyCLIP, OpenVINO bfloat16, draft=True",
        "numpyclip",
        {"engine": "openvino", "precision": "bfloat16", "draft": True},
    ),
    "openai": Entry("openai/CLIP", "openai"),
    "openai_workers": Entry("openai/CLIP, 2 loader processes", "openai_workers"),
    "open_clip": Entry("open_clip", "open_clip"),
    "open_clip_bf16": Entry("open_clip, bfloat16", "open_clip", {"precision": "bf16"}),
    "transformers": Entry("transformers", "transformers"),
    "onnxruntime": Entry("ONNX Runtime", "onnxruntime"),
    "openvino": Entry("OpenVINO, float32", "openvino", {"precision": "f32"}),
    "openvino_bf16": Entry("OpenVINO, as it comes (bfloat16)", "openvino"),
    "openvino_cached": Entry("OpenVINO, float32, with its cache", "openvino_cached"),
    "ancestor": Entry("the ancestor (99991/NumPyCLIP)", "ancestor"),
}
TITLES = {name: entry.title for name, entry in ENTRIES.items()}
ROUNDED = [name for name in ENTRIES if name.endswith(("_bf16", "_int8", "_draft"))]  # do not compute quite the same
BATCH = 10  # texts that the peers take at once: of 10, 25, 50, 100 and 200 PyTorch's best; the others do not care


class Contestant(Protocol):
    """What every contestant can do. Embeddings need not be of unit length."""

    def images(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """Embed preprocessed pictures: (n, 3, size, size) -> (n, e)."""
        ...

    def texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed strings: n of them -> (n, e)."""
        ...

    def files(self, paths: Sequence[Path]) -> NDArray[np.float32]:
        """Embed files of pictures: n of them -> (n, e)."""
        ...


def load(name: str, checkpoint: Checkpoint, threads: int) -> Contestant:
    entry = ENTRIES[name]
    module = import_module(f"contest.contestants.{entry.module}")
    contestant: Contestant = module.load(checkpoint, threads, **entry.options)
    return contestant


def batches(items: Sequence[T], size: int) -> list[Sequence[T]]:
    return [items[start : start + size] for start in range(0, len(items), size)]
