"""openai/CLIP on PyTorch, in float32."""

from collections.abc import Sequence
from pathlib import Path

import clip
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from contest.contestants import BATCH, batches
from contest.files import Checkpoint


class OpenAI:
    """openai/CLIP as its README uses it, with `inference_mode`."""

    def __init__(self, checkpoint: Checkpoint, threads: int) -> None:
        torch.set_num_threads(threads)
        self.model, self.preprocess = clip.load(str(checkpoint.openai), device="cpu")

    @torch.inference_mode()
    def images(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """Embed preprocessed pictures."""
        return self.model.encode_image(torch.from_numpy(pixels)).numpy()

    @torch.inference_mode()
    def texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed strings."""
        return np.concatenate([self.model.encode_text(clip.tokenize(part)).numpy() for part in batches(texts, BATCH)])

    @torch.inference_mode()
    def files(self, paths: Sequence[Path]) -> NDArray[np.float32]:
        """Embed files of pictures."""
        embeddings = []
        for part in batches(paths, 32):
            pixels = torch.stack([self.preprocess(Image.open(path)) for path in part])
            embeddings.append(self.model.encode_image(pixels).numpy())
        return np.concatenate(embeddings)


def load(checkpoint: Checkpoint, threads: int) -> OpenAI:
    return OpenAI(checkpoint, threads)
