"""open_clip on PyTorch, as its README uses it; with branches fused where the architecture has any."""

import open_clip
import torch
from timm.utils import reparameterize_model

from contest.contestants.pytorch import OnPyTorch
from contest.files import Checkpoint


def load(checkpoint: Checkpoint, threads: int, precision: str = "fp32") -> OnPyTorch:
    name = checkpoint.name_in_open_clip
    model, _, preprocess = open_clip.create_model_and_transforms(
        name, pretrained=str(checkpoint.open_clip), precision=precision
    )
    model = reparameterize_model(model.eval())
    dtype = open_clip.get_input_dtype(precision) or torch.float32
    return OnPyTorch(model, preprocess, lambda texts: open_clip.get_tokenizer(name)(texts), threads, dtype)
