"""NumPyCLIP's ancestor, 99991/NumPyCLIP: its own unchanged code, from the checkout in `$NUMPYCLIP_ANCESTOR`."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from contest.contestants import BATCH, batches
from contest.files import Checkpoint

os.chdir(os.environ["NUMPYCLIP_ANCESTOR"])  # it reads its data from there
sys.path.insert(0, "")
import numpyclip  # noqa: E402  (the ancestor's module, of the same name)


class Ancestor:
    """The ancestor as its example uses it. It knows one model, and finds the tensors of its file by fixed offsets."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.model, self.preprocess = numpyclip.load("ViT-B/32", str(checkpoint.folder))

    def images(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """Embed preprocessed pictures, one at a time: it cannot take more."""
        return np.concatenate([self.model.encode_image(one[np.newaxis]) for one in pixels])

    def texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Embed strings."""
        return np.concatenate([self.model.encode_text(numpyclip.tokenize(part)) for part in batches(texts, BATCH)])

    def files(self, paths: Sequence[Path]) -> NDArray[np.float32]:
        """Embed files of pictures."""
        return np.concatenate([self.images(self.preprocess(Image.open(path))[np.newaxis]) for path in paths])


def load(checkpoint: Checkpoint, threads: int) -> Ancestor:
    return Ancestor(checkpoint)
