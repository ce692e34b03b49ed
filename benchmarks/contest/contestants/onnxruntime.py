"""ONNX Runtime on openai/CLIP's towers, exported by PyTorch, in float32."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from contest.contestants import BATCH, batches
from contest.files import Checkpoint
from contest.without_torch import Tokenizer, pixels


class ONNXRuntime:
    """Sessions with all of its graph optimisations; a tower is loaded when first needed."""

    def __init__(self, checkpoint: Checkpoint, threads: int) -> None:
        self.checkpoint = checkpoint
        self.options = onnxruntime.SessionOptions()
        self.options.intra_op_num_threads = threads
        self.options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL

    def _session(self, path: Path) -> onnxruntime.InferenceSession:
        return onnxruntime.InferenceSession(path, self.options, providers=["CPUExecutionProvider"])

    @cached_property
    def image_tower(self) -> onnxruntime.InferenceSession:
        """Session of the vision tower."""
        return self._session(self.checkpoint.images)

    @cached_property
    def text_tower(self) -> tuple[onnxruntime.InferenceSession, Tokenizer]:
        """Session of the text tower, and its tokenizer."""
        return self._session(self.checkpoint.texts), Tokenizer()

    def images(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """Embed preprocessed pictures."""
        return self.image_tower.run(None, {"inputs": pixels})[0]

    def texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed strings."""
        session, tokenizer = self.text_tower
        return np.concatenate([session.run(None, {"inputs": tokenizer(part)})[0] for part in batches(texts, BATCH)])

    def files(self, paths: Sequence[Path]) -> NDArray[np.float32]:
        """Embed files of pictures."""
        size = self.checkpoint.size
        return np.concatenate(
            [self.images(np.stack([pixels(path, size) for path in part])) for part in batches(paths, 32)]
        )


def load(checkpoint: Checkpoint, threads: int) -> ONNXRuntime:
    return ONNXRuntime(checkpoint, threads)
