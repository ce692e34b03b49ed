"""The weights in a folder: the one file that is there, or the first of the names that a library looks for."""

from pathlib import Path

from numpyclip.errors import CheckpointError, quoted
from numpyclip.families.shards import read_shards
from numpyclip.weights.checkpoint import Checkpoint
from numpyclip.weights.read import read

INT8_WEIGHTS = "model.int8.safetensors"  # NumPyCLIP's own, in a folder of any library's layout

TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "vocab.txt",
    "tokenizer.model",
    "sentencepiece.bpe.model",
    "spiece.model",
)  # of any library, beside the weights

SUFFIXES = (".safetensors", ".pt", ".pth", ".bin", ".npz")


def only_file(folder: Path) -> Path:
    """Find the file of weights in a folder without a description.

    Raises
    ------
    CheckpointError
        If there is none, or more than one, so that nothing tells which is meant.
    """
    try:
        files = sorted(file for file in folder.iterdir() if file.suffix in SUFFIXES)
    except OSError as error:
        raise CheckpointError(f"{folder}: cannot be listed ({error.strerror or error}).") from error
    if len(files) != 1:
        raise CheckpointError(
            f"{folder}: found {len(files)} files of weights ({', '.join(quoted(file.name, 60) for file in files[:10]) or 'none'}); "
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
            return read_shards(folder / name) if name.endswith(".index.json") else read(folder / name)
    raise CheckpointError(f"{folder}: has no weights; expected a file named {' or '.join(names)}.")
