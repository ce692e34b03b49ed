"""The weights in a folder: the one file that is there, or the first of the names that a library looks for."""

import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath, PureWindowsPath

from numpyclip.errors import CheckpointError, quoted
from numpyclip.families.shards import read_shards
from numpyclip.tokenizer import files as tokenizer_files
from numpyclip.weights.checkpoint import Checkpoint
from numpyclip.weights.read import read

_INDEX = ".index.json"
INT8_WEIGHTS = "model.int8.safetensors"  # NumPyCLIP's own, in a folder of any library's layout

# Of any library, beside the weights: what is read, and what goes with it where a model is saved.
TOKENIZER_FILES = (*tokenizer_files.FILES, "added_tokens.json", "tokenizer.model", "sentencepiece.bpe.model")

_SUFFIXES = (".safetensors", ".pt", ".pth", ".bin", ".npz")
_PART = re.compile(r"-[0-9]{5}-of-[0-9]{5}\.")


def find_weights(files: Iterable[str], names: tuple[str, ...] = ()) -> list[str]:
    """Choose the file of weights, or an index of several, among those of a folder or a repository.

    Parameters
    ----------
    files : iterable of str
        What is there.
    names : tuple of str
        What a library looks for in turn; nothing, where no description tells the library.

    Returns
    -------
    list of str
        The one that is read. Without names there may be several, or none, and so nothing that tells which is meant.
    """
    there = set(files)
    if names:
        return [name for name in (*names, INT8_WEIGHTS) if name in there][:1]
    return sorted(name for name in there if _is_weights(name))


def _is_weights(name: str) -> bool:
    """Tell whether a file may be a whole set of weights; a repository has files of folders, too."""
    is_plain = PurePosixPath(name).name == PureWindowsPath(name).name == name
    return is_plain and PurePosixPath(name).suffix in _SUFFIXES and not _PART.search(name)


def with_parts(files: Iterable[str], weights: str) -> list[str]:
    """Return a file of weights, or an index with all files it goes with: `model-00001-of-00002.safetensors` and so on.

    None, unless all are there.
    """
    if not weights.endswith(_INDEX):
        return [weights]
    there = set(files)
    stem, suffix = weights.removesuffix(_INDEX).rsplit(".", 1)
    counts = (re.fullmatch(rf"{re.escape(stem)}-00001-of-([0-9]{{5}})\.{suffix}", file) for file in there)
    count = next((match[1] for match in counts if match), "00000")
    parts = [f"{stem}-{number:05}-of-{count}.{suffix}" for number in range(1, int(count) + 1)]
    return [weights, *parts] if parts and there.issuperset(parts) else []


def only_file(folder: Path) -> Path:
    """Find the file of weights in a folder without a description.

    Raises
    ------
    CheckpointError
        If there is none, or more than one, so that nothing tells which is meant.
    """
    try:
        files = find_weights(file.name for file in folder.iterdir())
    except OSError as error:
        raise CheckpointError(f"{folder}: cannot be listed ({error.strerror or error}).") from error
    if len(files) != 1:
        found = ", ".join(quoted(file, 60) for file in files[:10])
        raise CheckpointError(
            f"{folder}: found {len(files)} files of weights ({found or 'none'}); expected one. Pass the file itself."
        )
    return folder / files[0]


def read_weights(folder: Path, names: tuple[str, ...]) -> Checkpoint:
    """Read the first file of weights that is there, of the names that a library looks for in turn.

    Raises
    ------
    CheckpointError
        If there is none.
    """
    found = find_weights((name for name in (*names, INT8_WEIGHTS) if (folder / name).is_file()), names)
    if not found:
        raise CheckpointError(f"{folder}: has no weights; expected a file named {' or '.join(names)}.")
    return (read_shards if found[0].endswith(_INDEX) else read)(folder / found[0])
