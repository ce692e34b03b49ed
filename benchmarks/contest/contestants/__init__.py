"""One module per contestant, all with the same few methods. A contestant is loaded in a process of its own."""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from contest.files import Checkpoint

T = TypeVar("T")

TITLES = {
    "numpyclip": "NumPyCLIP",
    "numpyclip_draft": "NumPyCLIP, draft=True",
    "openai": "openai/CLIP",
    "openai_workers": "openai/CLIP, 2 loader processes",
    "open_clip": "open_clip",
    "transformers": "transformers",
    "onnxruntime": "ONNX Runtime",
    "openvino": "OpenVINO, float32",
    "openvino_bf16": "OpenVINO, as it comes (bfloat16)",
    "openvino_cached": "OpenVINO, float32, with its cache",
    "ancestor": "the ancestor (99991/NumPyCLIP)",
}
ROUNDED = ("openvino_bf16", "numpyclip_draft")  # do not compute quite the same
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
    contestant: Contestant = import_module(f"contest.contestants.{name}").load(checkpoint, threads)
    return contestant


def batches(items: Sequence[T], size: int) -> list[Sequence[T]]:
    return [items[start : start + size] for start in range(0, len(items), size)]
