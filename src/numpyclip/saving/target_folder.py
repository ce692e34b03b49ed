"""Which folders a saved model may replace."""

from __future__ import annotations

from pathlib import Path

from numpyclip.errors import InputError
from numpyclip.families.repository_files import INT8_WEIGHTS, TOKENIZER_FILES
from numpyclip.saving.original_layout import OPEN_CLIP, TRANSFORMERS

# What a folder may hold that is replaced: a model that was saved before, and nothing that somebody would miss.
_OURS = (
    *(OPEN_CLIP, TRANSFORMERS, "preprocessor_config.json", "processor_config.json", *TOKENIZER_FILES),
    *("open_clip_model.safetensors", "model.safetensors", INT8_WEIGHTS),
)


def check_target(folder: Path, source: Path, overwrite: bool) -> None:
    """Raise unless a folder can be made there, or replaced.

    Raises
    ------
    InputError
        If something is there that is not to be overwritten: whatever it is, or anything but a saved model, or the
        model that is being saved.
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
