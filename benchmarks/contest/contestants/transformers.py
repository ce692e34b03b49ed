"""transformers on PyTorch, in float32."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from transformers import CLIPImageProcessor, CLIPModel, CLIPTokenizer

from contest.contestants import BATCH, batches
from contest.files import Checkpoint


class Transformers:
    """`CLIPModel` with the attention that it chooses itself (PyTorch's fused one), with `inference_mode`."""

    def __init__(self, checkpoint: Checkpoint, threads: int) -> None:
        torch.set_num_threads(threads)
        self.model = CLIPModel.from_pretrained(checkpoint.transformers).eval()
        self.tokenizer = CLIPTokenizer.from_pretrained(checkpoint.transformers)
        self.processor = CLIPImageProcessor.from_pretrained(checkpoint.transformers)

    @torch.inference_mode()
    def images(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """Embed preprocessed pictures."""
        return self.model.get_image_features(pixel_values=torch.from_numpy(pixels)).pooler_output.numpy()

    @torch.inference_mode()
    def texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed strings."""
        embeddings = []
        for part in batches(texts, BATCH):
            inputs = self.tokenizer(list(part), padding="max_length", max_length=77, return_tensors="pt")
            embeddings.append(self.model.get_text_features(**inputs).pooler_output.numpy())
        return np.concatenate(embeddings)

    @torch.inference_mode()
    def files(self, paths: Sequence[Path]) -> NDArray[np.float32]:
        """Embed files of pictures."""
        embeddings = []
        for part in batches(paths, 32):
            inputs = self.processor([Image.open(path) for path in part], return_tensors="pt")
            embeddings.append(self.model.get_image_features(**inputs).pooler_output.numpy())
        return np.concatenate(embeddings)


def load(checkpoint: Checkpoint, threads: int) -> Transformers:
    return Transformers(checkpoint, threads)
