"""A folder that is whole or not there."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from numpyclip.errors import InputError, NumPyCLIPError
from numpyclip.families.folder import INT8_WEIGHTS, TOKENIZER_FILES
from numpyclip.saving.original_layout import OPEN_CLIP, TRANSFORMERS
from numpyclip.weights.unfinished import unfinished

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


@contextmanager
def whole_folder(folder: Path, source: Path, overwrite: bool) -> Iterator[Path]:
    """Give an empty folder to fill, which takes its name, and the place of an older one, when all is there.

    After an error, or Ctrl-C, nothing is left of it. What a process leaves that is killed lies beside the place, under
    a hidden name, until the next one saves there.

    Raises
    ------
    InputError
        If it cannot be made there: see `check_target`.
    NumPyCLIPError
        If the disk is full, or does not let us.
    """
    try:
        with unfinished(folder, partial(_bring_back, folder)) as part:
            check_target(folder, source, overwrite)
            part.mkdir()
            (part / "new").mkdir()
            yield part / "new"
            if overwrite and folder.exists():
                folder.replace(part / "old")
            (part / "new").replace(folder)  # which fails if somebody else has made it meanwhile
    except OSError as error:
        raise NumPyCLIPError(f"{folder}: cannot be written ({error.strerror or error}).") from error


def _bring_back(folder: Path, part: Path) -> None:
    """Put an older model into its place again, if the new one has not come there."""
    if not folder.exists() and (part / "old").exists():
        (part / "old").replace(folder)
