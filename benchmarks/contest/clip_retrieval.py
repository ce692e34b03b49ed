"""clip-retrieval's inference on PyTorch, alone: importing the package would need all that its servers do."""

import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from unittest.mock import MagicMock

from contest.files import OPENAI


def infer(checkpoint: Path, folder: Path, shards: Sequence[str], batch_size: int, processes: int) -> None:
    """Embed the pictures in shards by open_clip, whose checkpoint is where `contest.files.Checkpoint` says."""
    spec = find_spec("clip_retrieval")
    assert spec and spec.submodule_search_locations
    package = ModuleType("clip_retrieval")
    package.__path__ = list(spec.submodule_search_locations)
    sys.modules.update({"clip_retrieval": package, "wandb": ModuleType("wandb")})  # which would not be used
    from clip_retrieval.clip_inference import worker

    worker.LoggerWriter = MagicMock()  # its process would import the whole package
    weights = checkpoint.parent / "open_clip" / "open_clip_model.safetensors"
    worker.worker(
        tasks=[0],
        input_dataset=list(shards),
        output_folder=str(folder),
        output_partition_count=1,
        input_format="webdataset",
        batch_size=batch_size,
        num_prepro_workers=processes,
        enable_text=False,
        clip_model=f"open_clip:{OPENAI['ViT-B/32']}/{weights}",
        use_jit=False,
    )
