"""What is asserted of every file, sound or not: a result or a documented error, in bounded memory."""

import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import numpy as np

from numpyclip.errors import NumPyCLIPError
from numpyclip.escaping import printable
from numpyclip.weights.checkpoint import Checkpoint
from numpyclip.weights.read import read

_T = TypeVar("_T")
CORPUS = Path(__file__).parent / "corpus"


def corpus(reader: str) -> Iterator[bytes]:
    """Yield the files on which a reader once failed."""
    for file in sorted((CORPUS / reader).glob("*")):
        yield file.read_bytes()


def outcome(read: Callable[[Path], _T], file: Path, content: bytes) -> _T | NumPyCLIPError:
    """Read a file with such content, and check the memory and, of an error, the message."""
    file.write_bytes(content)
    tracemalloc.start()
    try:
        found: _T | NumPyCLIPError = read(file)
    except NumPyCLIPError as error:
        assert str(error).startswith(str(file.parent))
        assert str(error) == printable(str(error)) and len(str(error)) < 1500
        found = error
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 4 * len(content) + 2**26, f"{len(content)} bytes took {peak}"
    return found


def genuine(*patterns: str) -> Iterator[bytes]:
    """Yield small files that other libraries wrote."""
    golden = Path(__file__).parents[1] / "golden"
    for pattern in patterns:
        for file in (*sorted((golden / "checkpoints").glob(pattern)), *sorted((golden / "training").glob(pattern))):
            yield file.read_bytes()


def read_weights(file: Path) -> Checkpoint:
    """Read a file of weights, and the first and the last number of each tensor."""
    found = read(file)
    for array in found.arrays.values():
        if array.size:
            plain = array.view(np.ndarray)
            assert plain[(0,) * array.ndim] is not None and plain[(-1,) * array.ndim] is not None
    return found
