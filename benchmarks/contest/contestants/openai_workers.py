"""openai/CLIP on PyTorch, with two processes of torch's DataLoader that read and preprocess the pictures."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import Compose

from contest.contestants.openai import OpenAI
from contest.files import Checkpoint


class Pictures(Dataset[torch.Tensor]):
    """Files of pictures, preprocessed when asked for."""

    def __init__(self, paths: Sequence[Path], preprocess: Compose) -> None:
        self.paths = paths
        self.preprocess = preprocess

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> torch.Tensor:
        pixels: torch.Tensor = self.preprocess(Image.open(self.paths[index]))
        return pixels


class WithWorkers(OpenAI):
    """openai/CLIP that embeds files with a DataLoader."""

    @torch.inference_mode()
    def files(self, paths: Sequence[Path]) -> NDArray[np.float32]:
        """Embed files of pictures."""
        loader = DataLoader(Pictures(paths, self.preprocess), batch_size=32, num_workers=2)
        return np.concatenate([self.model.encode_image(pixels).numpy() for pixels in loader])


def load(checkpoint: Checkpoint, threads: int) -> WithWorkers:
    return WithWorkers(checkpoint, threads)
