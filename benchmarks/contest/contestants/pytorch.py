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
    ) -> None:
        torch.set_num_threads(threads)
        self.model, self.preprocess, self.tokenize = model, preprocess, tokenize

    @torch.inference_mode()
    def images(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """Embed preprocessed pictures."""
        return self.model.encode_image(torch.from_numpy(pixels)).numpy()

    @torch.inference_mode()
    def texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed strings."""
        return np.concatenate([self.model.encode_text(self.tokenize(part)).numpy() for part in batches(texts, BATCH)])

    @torch.inference_mode()
    def files(self, paths: Sequence[Path]) -> NDArray[np.float32]:
        """Embed files of pictures."""
        embeddings = []
        for part in batches(paths, 32):
            pixels = torch.stack([self.preprocess(Image.open(path)) for path in part])
            embeddings.append(self.model.encode_image(pixels).numpy())
        return np.concatenate(embeddings)
