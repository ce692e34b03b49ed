"""Sharded weights: several files, and an index that says which tensor is in which."""

from pathlib import Path, PurePosixPath, PureWindowsPath

import numpy as np
from numpy.typing import NDArray

from numpyclip.errors import CheckpointError, CorruptCheckpointError, UnsafeCheckpointError
from numpyclip.weights.checkpoint import Checkpoint, identity_of
from numpyclip.weights.json_file import read_json_object
from numpyclip.weights.read import read

INDEX_SUFFIX = ".index.json"
_MOST_BYTES = 2**24  # of an index; the largest published one has some kilobytes


def read_weights(path: Path) -> Checkpoint:
    """Read a file of weights, or all that an index lists; see `numpyclip.weights.read.read` and `read_shards`."""
    return (read_shards if path.name.endswith(INDEX_SUFFIX) else read)(path)


def read_shards(index: Path) -> Checkpoint:
    """Read all files that an index lists, such as `model.safetensors.index.json`, as if they were one.

    Raises
    ------
    CheckpointError
        If a file is missing or damaged, or they do not hold exactly the tensors that the index says, each once.
    UnsafeCheckpointError
        If a file is not in the index's own folder.
    """
    listed = _weight_map(index)
    arrays: dict[str, NDArray[np.generic]] = {}
    identities: list[str | None] = []
    for file in sorted(set(listed.values())):
        shard = read(index.parent / file)
        identities.append(shard.identity)
        for name, array in shard.arrays.items():
            if listed.get(name) != file:
                raise CorruptCheckpointError(
                    f"{shard.path}: holds tensor {name!r:.200}, which {index.name} lists "
                    f"{f'in {listed[name]!r:.100}' if name in listed else 'nowhere'}. Download both again."
                )
            arrays[name] = array
    if missing := [name for name in listed if name not in arrays]:
        raise CorruptCheckpointError(
            f"{index}: lists tensor {missing[0]!r:.200} in {listed[missing[0]]!r:.100}, which does not hold it "
            f"({len(missing)} are missing). Download both again."
        )
    return Checkpoint(index.absolute(), arrays, identity=identity_of(*identities), stored=arrays)


def _weight_map(index: Path) -> dict[str, str]:
    """Return the file that each tensor is said to be in; all are beside the index."""
    listed = read_json_object(index, _MOST_BYTES, "the index of several files of weights").get("weight_map")
    if not isinstance(listed, dict):
        raise CheckpointError(f"{index}: weight_map is {listed!r:.60}; expected the file of each tensor.")
    for name, file in listed.items():
        if not isinstance(file, str):
            raise CheckpointError(f"{index}: weight_map.{name!r:.100} is {file!r:.60}; expected the name of a file.")
        is_name = {PurePosixPath(file).name, PureWindowsPath(file).name} == {file}  # on either kind of system
        if not (is_name and file.isprintable()) or file in ("", ".."):
            raise UnsafeCheckpointError(
                f"{index}: refused, tensor {name!r:.100} is said to be in {file!r:.100}; "
                "expected a file in the same folder."
            )
    return listed
