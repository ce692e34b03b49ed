"""openai/CLIP on PyTorch, in float32, as its README uses it."""

import clip

from contest.contestants.pytorch import OnPyTorch
from contest.files import Checkpoint


class OpenAI(OnPyTorch):
    """openai/CLIP."""

    def __init__(self, checkpoint: Checkpoint, threads: int) -> None:
        super().__init__(*clip.load(str(checkpoint.openai), device="cpu"), clip.tokenize, threads)


def load(checkpoint: Checkpoint, threads: int) -> OpenAI:
    return OpenAI(checkpoint, threads)
