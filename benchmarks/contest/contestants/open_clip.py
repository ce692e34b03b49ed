"""open_clip on PyTorch, in float32."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import open_clip
import torch
from numpy.typing import NDArray
from PIL import Image

from contest.contestants import BATCH, batches
from contest.files import Checkpoint

NAMES = {"ViT-B/32": "ViT-B-32-quickgelu", "ViT-L/14@336px": "ViT-L-14-336-quickgelu", "RN50": "RN50-quickgelu"}


class OpenCLIP:
    """open_clip as its README uses it, with `inference_mode`."""

    def __init__(self, checkpoint: Checkpoint, threads: int) -> None:
        torch.set_num_threads(threads)
        name = NAMES[checkpoint.model]
        model, _, self.preprocess = open_clip.create_model_and_transforms(name, pretrained=str(checkpoint.open_clip))
        self.model = model.eval()
        self.tokenizer = open_clip.get_tokenizer(name)

    @torch.inference_mode()
    def images(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """Embed preprocessed pictures."""
        return self.model.encode_image(torch.from_numpy(pixels)).numpy()

    @torch.inference_mode()
    def texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed strings."""
        return np.concatenate([self.model.encode_text(self.tokenizer(part)).numpy() for part in batches(texts, BATCH)])

    @torch.inference_mode()
    def files(self, paths: Sequence[Path]) -> NDArray[np.float32]:
        """Embed files of pictures."""
        embeddings = []
        for part in batches(paths, 32):
            pixels = torch.stack([self.preprocess(Image.open(path)) for path in part])
            embeddings.append(self.model.encode_image(pixels).numpy())
        return np.concatenate(embeddings)


def load(checkpoint: Checkpoint, threads: int) -> OpenCLIP:
    return OpenCLIP(checkpoint, threads)
