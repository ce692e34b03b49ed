"""clip-retrieval's inference on PyTorch, alone: importing the package would need all that its servers do."""

import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

from contest.files import OPENAI


def infer(checkpoint: Path, folder: Path, shards: Sequence[str], batch_size: int, processes: int) -> None:
    """Embed the pictures in shards by open_clip, whose checkpoint lies as `contest.files.Checkpoint` says."""
    spec = find_spec("clip_retrieval")
    assert spec and spec.submodule_search_locations
    package = ModuleType("clip_retrieval")
    package.__path__ = list(spec.submodule_search_locations)
    sys.modules.update({"clip_retrieval": package, "wandb": ModuleType("wandb")})  # which is not used
    from clip_retrieval.clip_inference.main import main

    weights = checkpoint.parent / "open_clip" / "open_clip_model.safetensors"
    main(
        f"{{{','.join(shards)}}}",
        str(folder),
        input_format="webdataset",
        batch_size=batch_size,
        num_prepro_workers=processes,
        enable_text=False,
        clip_model=f"open_clip:{OPENAI['ViT-B/32']}/{weights}",
        output_partition_count=1,
    )
