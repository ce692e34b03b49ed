"""The exceptions that NumPyCLIP raises on purpose.

::

    NumPyCLIPError
    ├── CheckpointError               a file of weights that cannot be used        (ValueError)
    │   ├── CorruptCheckpointError        cut short, damaged or inconsistent
    │   ├── UnsafeCheckpointError         asks for more than tensors and plain containers
    │   └── UnsupportedCheckpointError    sound, but not a model that can be run here
    ├── ModelNotFoundError            no known name, repository or file            (RuntimeError)
    ├── DownloadError                 the weights could not be fetched             (OSError)
    │   ├── OfflineError                  a setting forbids the network
    │   └── ChecksumError                 what was fetched is not what was published
    ├── InputError                    an argument of the wrong kind, shape or range (ValueError)
    ├── PictureError                  an image that cannot be read                 (ValueError)
    ├── StoreError                    an index that cannot be opened or changed    (OSError)
    ├── TextTooLongError              a text with more tokens than positions       (RuntimeError)
    ├── EngineError                   an engine that cannot compute, or has failed (RuntimeError)
    └── MissingPackageError           an optional package is not installed         (ImportError)

Each is also the built-in exception in brackets, so that code written for openai/CLIP, which raises
``RuntimeError`` for unknown models and long texts, keeps working.

Messages follow one pattern: where, what was found, what was expected, what to do.
"""

from collections.abc import Collection
from itertools import islice

from numpyclip.escaping import printable


def quoted(name: str, most: int = 200) -> str:
    """Quote an untrusted name for a message: on one line, not too long, and printable."""
    return repr(name) if len(name) <= most else f"{name[:most]!r}..."


def listed(names: Collection[str], most: int = 10, letters: int = 60) -> str:
    """List names, each as `quoted`, and say how many more there are."""
    shown = ", ".join(quoted(name, letters) for name in islice(names, most))
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown


class NumPyCLIPError(Exception):
    """Base of every error raised on purpose."""

    def __str__(self) -> str:
        """Return the message on one line, with unprintable characters (of a path, say) as escape sequences."""
        return printable(super().__str__())


class CheckpointError(NumPyCLIPError, ValueError):
    """A file of weights cannot be used."""


class CorruptCheckpointError(CheckpointError):
    """A file of weights is cut short, damaged or contradicts itself."""


class UnsafeCheckpointError(CheckpointError):
    """A file of weights asks for more than tensors and plain containers; nothing of it was run."""


class UnsupportedCheckpointError(CheckpointError):
    """A file of weights is sound, but holds no model that can be run here."""


class ModelNotFoundError(NumPyCLIPError, RuntimeError):
    """A model is neither a known name, nor a repository that this user may read, nor an existing file or folder."""


class DownloadError(NumPyCLIPError, OSError):
    """Weights could not be fetched; nothing broken is left behind.

    Attributes
    ----------
    lines : tuple of str
        What was tried and what helps, each on a line of its own below the message.
    """

    lines: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return the message and the lines below it, each as printable as a message of one line."""
        return "\n".join([super().__str__(), *map(printable, self.lines)])


class OfflineError(DownloadError):
    """Weights are missing and ``$NUMPYCLIP_OFFLINE`` (or ``$HF_HUB_OFFLINE``) forbids the network."""


class ChecksumError(DownloadError):
    """A fetched file is not the published one."""


class InputError(NumPyCLIPError, ValueError):
    """An argument has the wrong kind, shape or range."""


class PictureError(NumPyCLIPError, ValueError):
    """An image cannot be read."""


class StoreError(NumPyCLIPError, OSError):
    """An index cannot be opened, read or changed; what it held before is still there."""


class TextTooLongError(NumPyCLIPError, RuntimeError):
    """A text needs more tokens than the model has positions.

    Attributes
    ----------
    found : str
        The message without what to do, which differs between Python, the program and the server.
    """

    found: str = ""


class EngineError(NumPyCLIPError, RuntimeError):
    """An engine cannot compute what it was asked for, or has failed; the message quotes it."""


class MissingPackageError(NumPyCLIPError, ImportError):
    """A model needs an optional package that is not installed; the message says how to install it."""
