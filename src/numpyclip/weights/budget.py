"""Limits of the memory that the values in an untrusted file may take, by its size.

Reading takes at most four times the file and 64 MB: the mapped file, what its records inflate to, and the objects made
of its pickle or JSON. Each part is bounded here before, or while, it is made.
"""

from typing import NoReturn

from numpyclip.errors import CorruptCheckpointError

_OBJECTS = 2**25  # bytes of objects that any pickle may make; the largest training checkpoints need a third
_INFLATED = 2**24  # bytes; small files may hold long runs of zeros
_GROWTH = 3  # weights hardly shrink when packed, while a bomb grows a thousandfold


def inflated_limit(file_size: int) -> int:
    """Return the bytes that the records of an archive may inflate to, all together."""
    return _INFLATED + _GROWTH * file_size


class Budget:
    """The memory that the pickles of one file may take; callers decrement `left`."""

    def __init__(self, file_size: int) -> None:
        self._all = self.left = _OBJECTS + file_size // 4

    def refuse(self, where: str) -> NoReturn:
        """Raise CorruptCheckpointError, once it is spent."""
        raise CorruptCheckpointError(
            f"{where}: its pickle makes objects of more than {self._all} bytes, which no checkpoint of this size does. "
            "Save the model's state_dict() alone."
        )
