"""Whose layout a folder or a repository has, and which of its files are read."""

from collections.abc import Iterable
from pathlib import Path

from numpyclip.families import open_clip, transformers
from numpyclip.families.family import Recognized
from numpyclip.families.folder import find_weights, with_parts
from numpyclip.tokenizer.files import FILES

# What may lie beside the weights, and is read.
_DESCRIPTIONS = ("open_clip_config.json", "config.json", "preprocessor_config.json", "processor_config.json")


def wanted(names: Iterable[str]) -> list[str]:
    """Choose, of the files of a repository, those that would be read: the weights last; none without weights."""
    there = set(names)
    if open_clip.DESCRIPTION in there:
        return _with_weights(there, find_weights(there, open_clip.WEIGHTS))
    return _with_weights(there, find_weights(there, transformers.WEIGHTS if transformers.DESCRIPTION in there else ()))


def wanted_by_open_clip(names: Iterable[str]) -> list[str]:
    """Choose them for a model whose description is a table's, whatever lies there: OpenCLIP's, or the only weights."""
    there = set(names)
    return _with_weights(there, find_weights(there, open_clip.WEIGHTS) or find_weights(there))


def tokenizer_files(names: Iterable[str]) -> list[str]:
    """Choose those of a tokenizer alone."""
    return [name for name in names if name in FILES]


def _with_weights(there: set[str], found: list[str]) -> list[str]:
    weights = with_parts(there, found[0]) if len(found) == 1 else []
    return [name for name in (*_DESCRIPTIONS, *FILES) if name in there] + weights if weights else []


def read_described(folder: Path) -> Recognized | None:
    """Read the model in a folder by its description; None if there is none.

    Raises
    ------
    CheckpointError
        If there are no weights, or they are not what is described.
    UnsupportedCheckpointError
        If the description has an option that is not supported; it is named.
    """
    if (folder / open_clip.DESCRIPTION).exists():  # before the other: who has both was trained with open_clip
        return open_clip.read_folder(folder)
    if (folder / transformers.DESCRIPTION).exists():
        return transformers.read_folder(folder)
    return None
