"""Which folders a saved model may replace."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path

from numpyclip.errors import InputError
from numpyclip.families.repository_files import INT8_WEIGHTS, TOKENIZER_FILES
from numpyclip.saving.original_layout import OPEN_CLIP, TRANSFORMERS

# A folder with any other file is not replaced.
SAVED = (
    *(OPEN_CLIP, TRANSFORMERS, "preprocessor_config.json", "processor_config.json", *TOKENIZER_FILES),
    *("open_clip_model.safetensors", "model.safetensors", INT8_WEIGHTS),
)


def check_target(
    folder: Path, source: Path | None, overwrite: bool, ours: Iterable[str] = SAVED, what: str = "a saved model"
) -> None:
    """Raise unless a folder can be created, or replaced.

    Parameters
    ----------
    folder : Path
    source : Path or None
        The weights that are being saved, which must not be in it.
    overwrite : bool
    ours : iterable of str
        What a folder that is replaced may hold: patterns of paths within it.
    what : str
        The name of that.

    Raises
    ------
    InputError
        If it exists: unless it is to be overwritten, and holds only ours, other than the one being saved.
    """
    if not folder.exists():
        return
    if not overwrite:
        raise InputError(
            f"{folder}: is there already; expected a new name. Pass overwrite=True (--force) to replace it."
        )
    if not folder.is_dir():
        raise InputError(f"{folder}: is not a folder; expected a new name, or the folder of a model to replace.")
    if others := sorted(name for name in _contents(folder) if not any(_matches(name, pattern) for pattern in ours)):
        raise InputError(f"{folder}: holds {others[0]!r:.100}, which is no part of {what}; it is not replaced.")
    if source and folder in (source.absolute().parent, source.resolve().parent, source.parent.resolve()):
        raise InputError(f"{folder}: holds the model that is being saved; expected another folder.")


def _contents(folder: Path) -> Iterator[str]:
    """List the files within a folder, links, and folders without any."""
    for path in folder.rglob("*"):
        if path.is_symlink() or not path.is_dir() or not any(path.iterdir()):
            yield path.relative_to(folder).as_posix()


def _matches(name: str, pattern: str) -> bool:
    return name.count("/") == pattern.count("/") and fnmatchcase(name, pattern)
