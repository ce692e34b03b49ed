"""A folder with a checkpoint in it, and mostly a description of the model beside it."""

from pathlib import Path

from numpyclip.errors import CheckpointError
from numpyclip.families.family import Recognized
from numpyclip.weights.checkpoint import Checkpoint
from numpyclip.weights.read import read

INT8_WEIGHTS = "model.int8.safetensors"  # NumPyCLIP's own, in a folder of any library's layout

_SUFFIXES = (".safetensors", ".pt", ".pth", ".bin", ".npz")


def read_described(folder: Path) -> Recognized | None:
    """Read the model in a folder by its description; None if there is none.

    Raises
    ------
    CheckpointError
        If there are no weights, or they are not what is described.
    UnsupportedCheckpointError
        If the description has an option that is not supported; it is named.
    """
    from numpyclip.families import open_clip

    if (folder / open_clip.DESCRIPTION).exists():
        return open_clip.read_folder(folder)
    return None


def only_file(folder: Path) -> Path:
    """Find the file of weights in a folder without a description.

    Raises
    ------
    CheckpointError
        If there is none, or more than one, so that nothing tells which is meant.
    """
    try:
        files = sorted(file for file in folder.iterdir() if file.suffix in _SUFFIXES)
    except OSError as error:
        raise CheckpointError(f"{folder}: cannot be listed ({error.strerror or error}).") from error
    if len(files) != 1:
        raise CheckpointError(
            f"{folder}: found {len(files)} files of weights ({', '.join(file.name for file in files) or 'none'}); "
            "expected one. Pass the file itself."
        )
    return files[0]


def read_weights(folder: Path, names: tuple[str, ...]) -> Checkpoint:
    """Read the first file of weights that is there, of the names that a library looks for in turn.

    Raises
    ------
    CheckpointError
        If there is none.
    """
    for name in (*names, INT8_WEIGHTS):
        if (folder / name).is_file():
            return read(folder / name)
    raise CheckpointError(f"{folder}: has no weights; expected a file named {' or '.join(names)}.")
