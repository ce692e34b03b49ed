"""Which folders a saved model may replace."""

from __future__ import annotations

from pathlib import Path

from numpyclip.errors import InputError
from numpyclip.families.repository_files import INT8_WEIGHTS, TOKENIZER_FILES
from numpyclip.saving.original_layout import OPEN_CLIP, TRANSFORMERS

# A folder with any other file is not replaced.
_OURS = (
    *(OPEN_CLIP, TRANSFORMERS, "preprocessor_config.json", "processor_config.json", *TOKENIZER_FILES),
    *("open_clip_model.safetensors", "model.safetensors", INT8_WEIGHTS),
)


def check_target(folder: Path, source: Path, overwrite: bool) -> None:
    """Raise unless a folder can be created, or replaced.

    Raises
    ------
    InputError
        If it exists: unless it is to be overwritten, and holds only a saved model, other than the one being saved.
    """
    if not folder.exists():
        return
    if not overwrite:
        raise InputError(
            f"{folder}: is there already; expected a new name. Pass overwrite=True (--force) to replace it."
        )
    if not folder.is_dir():
        raise InputError(f"{folder}: is not a folder; expected a new name, or the folder of a model to replace.")
    names = sorted(path.name for path in folder.iterdir())
    if others := [name for name in names if name not in _OURS]:
        raise InputError(f"{folder}: holds {others[0]!r:.100}, which is no part of a saved model; it is not replaced.")
    if folder in (source.absolute().parent, source.resolve().parent, source.parent.resolve()):
        raise InputError(f"{folder}: holds the model that is being saved; expected another folder.")
