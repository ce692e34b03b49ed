"""Whose layout a folder or a repository has, and which of its files are read."""

import re
from collections.abc import Iterable
from pathlib import Path

from numpyclip.families import open_clip, transformers
from numpyclip.families.family import Recognized
from numpyclip.families.folder import SUFFIXES, TOKENIZER_FILES

# What may lie beside the weights, and is read.
_DESCRIPTIONS = ("open_clip_config.json", "config.json", "preprocessor_config.json", "processor_config.json")
_PLAIN = re.compile(r"(?!.*-of-)\w[\w. +-]*")  # no path, which a repository's file may have, and no part of weights


def wanted(names: Iterable[str]) -> list[str]:
    """Choose, of the files of a repository, those that would be read: the weights last; none without weights."""
    there = set(names)
    weights = _weights_among(there)
    return [name for name in (*_DESCRIPTIONS, *TOKENIZER_FILES) if name in there] + weights if weights else []


def _weights_among(there: set[str]) -> list[str]:
    """Choose one set of weights, of OpenCLIP's layout if its description is there."""
    described = open_clip.DESCRIPTION in there
    for name in (*(() if described else ("model.safetensors", "pytorch_model.bin")), *open_clip.WEIGHTS):
        if name in there:
            return [name]
        if f"{name}.index.json" in there and (shards := _shards_among(there, name)):
            return [f"{name}.index.json", *shards]
    others = [name for name in there if _PLAIN.fullmatch(name) and name.endswith(SUFFIXES)]
    return others if len(others) == 1 else []


def _shards_among(there: set[str], name: str) -> list[str]:
    """Find the parts of a file, such as `model-00001-of-00002.safetensors`; none unless all are there."""
    stem, suffix = name.rsplit(".", 1)
    counts = (re.fullmatch(rf"{stem}-00001-of-([0-9]{{5}})\.{suffix}", file) for file in there)
    count = next((match[1] for match in counts if match), "00000")
    shards = [f"{stem}-{number:05}-of-{count}.{suffix}" for number in range(1, int(count) + 1)]
    return shards if there.issuperset(shards) else []


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
