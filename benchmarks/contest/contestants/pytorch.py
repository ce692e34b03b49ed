"""What openai/CLIP and open_clip have in common: the same methods of models on PyTorch."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torchvision.transforms import Compose

from contest.contestants import BATCH, batches


class OnPyTorch:
    """A model with `inference_mode`."""

    def __init__(
        self,
        model: torch.nn.Module,
        preprocess: Compose,
        tokenize: Callable[[Sequence[str]], torch.Tensor],
        threads: int,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        torch.set_num_threads(threads)
        self.model, self.preprocess, self.tokenize, self.dtype = model, preprocess, tokenize, dtype

    @torch.inference_mode()
    def images(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """Embed preprocessed pictures."""
        return self._embed(torch.from_numpy(pixels))

    @torch.inference_mode()
    def texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed strings."""
        embeddings = [self.model.encode_text(self.tokenize(part)) for part in batches(texts, BATCH)]
        return torch.cat(embeddings).float().numpy()

    @torch.inference_mode()
    def files(self, paths: Sequence[Path]) -> NDArray[np.float32]:
        """Embed files of pictures."""
        embeddings = []
        for part in batches(paths, 32):
            pixels = torch.stack([self.preprocess(Image.open(path)) for path in part])
            embeddings.append(self._embed(pixels))
        return np.concatenate(embeddings)

    def _embed(self, pixels: torch.Tensor) -> NDArray[np.float32]:
        embeddings: NDArray[np.float32] = self.model.encode_image(pixels.to(self.dtype)).float().numpy()
        return embeddings
