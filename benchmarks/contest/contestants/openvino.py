"""OpenVINO on towers that PyTorch exported: in a precision, or as it comes, in bfloat16 where the processor can."""

from collections.abc import Sequence
from functools import cache, cached_property
from pathlib import Path

import numpy as np
import openvino
from numpy.typing import NDArray

from contest.contestants import BATCH, batches
from contest.files import Checkpoint
from contest.without_torch import Tokenizer, pixels


class OpenVINO:
    """Towers compiled for the very shape of their inputs, for the least latency: one request on all threads."""

    def __init__(self, checkpoint: Checkpoint, threads: int, settings: dict[str, str]) -> None:
        self.checkpoint = checkpoint
        self.core = openvino.Core()
        self.settings = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY", **settings}
        self.compiled = cache(self._compile)

    def _compile(self, path: Path, shape: tuple[int, ...]) -> openvino.CompiledModel:
        model = self.core.read_model(path)
        model.reshape(list(shape))
        return self.core.compile_model(model, "CPU", self.settings)

    def _run(self, path: Path, inputs: NDArray[np.generic]) -> NDArray[np.float32]:
        outputs: NDArray[np.float32] = self.compiled(path, inputs.shape)(inputs)[0]
        return outputs

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """Tokenizer, loaded when first needed."""
        return Tokenizer()

    def images(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """Embed preprocessed pictures."""
        return self._run(self.checkpoint.images, pixels)

    def texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed strings."""
        return np.concatenate(
            [self._run(self.checkpoint.texts, self.tokenizer(part)) for part in batches(texts, BATCH)]
        )

    def files(self, paths: Sequence[Path]) -> NDArray[np.float32]:
        """Embed files of pictures."""
        size = self.checkpoint.size
        return np.concatenate(
            [self.images(np.stack([pixels(path, size) for path in part])) for part in batches(paths, 32)]
        )


def load(checkpoint: Checkpoint, threads: int, precision: str | None = None) -> OpenVINO:
    return OpenVINO(checkpoint, threads, {"INFERENCE_PRECISION_HINT": precision} if precision else {})
