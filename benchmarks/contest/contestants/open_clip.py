"""open_clip on PyTorch, in float32, as its README uses it."""

import open_clip

from contest.contestants.pytorch import OnPyTorch
from contest.files import Checkpoint

NAMES = {"ViT-B/32": "ViT-B-32-quickgelu", "ViT-L/14@336px": "ViT-L-14-336-quickgelu", "RN50": "RN50-quickgelu"}


def load(checkpoint: Checkpoint, threads: int) -> OnPyTorch:
    name = NAMES[checkpoint.model]
    model, _, preprocess = open_clip.create_model_and_transforms(name, pretrained=str(checkpoint.open_clip))
    return OnPyTorch(model.eval(), preprocess, open_clip.get_tokenizer(name), threads)
