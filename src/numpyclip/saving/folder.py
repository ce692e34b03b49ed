"""A folder that is whole or not there."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from numpyclip.errors import InputError, NumPyCLIPError
from numpyclip.families.folder import INT8_WEIGHTS, TOKENIZER_FILES
from numpyclip.saving.same import OPEN_CLIP, TRANSFORMERS

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
def whole_folder(folder: Path, overwrite: bool) -> Iterator[Path]:
    """Give an empty folder to fill, which takes its name, and the place of an older one, when all is there.

    After an error, or Ctrl-C, nothing is left of it. What a process leaves that is killed lies beside the place, under
    a hidden name.

    Raises
    ------
    NumPyCLIPError
        If the disk is full, or does not let us.
    """
    try:
        part = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".part", dir=folder.parent))
        try:
            (part / "new").mkdir()  # with the usual rights, where `part` is for its owner alone
            yield part / "new"
            if overwrite and folder.exists():
                folder.replace(part / "old")
            (part / "new").replace(folder)  # which fails if somebody else has made it meanwhile
        finally:
            if not folder.exists() and (part / "old").exists():
                (part / "old").replace(folder)
            shutil.rmtree(part, ignore_errors=True)
    except OSError as error:
        raise NumPyCLIPError(f"{folder}: cannot be written ({error.strerror or error}).") from error
