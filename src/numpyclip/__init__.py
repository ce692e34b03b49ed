"""CLIP in pure NumPy: embed images and texts into one space, without PyTorch.

>>> import numpyclip
>>> model, preprocess = numpyclip.load("tiny")
>>> model.embed_texts(["a red apple", "a dog"]).shape
(2, 128)
"""

from numpyclip.errors import (
    CheckpointError,
    ChecksumError,
    CorruptCheckpointError,
    DownloadError,
    InputError,
    MissingPackageError,
    ModelNotFoundError,
    NumPyCLIPError,
    OfflineError,
    PictureError,
    StoreError,
    TextTooLongError,
    UnsafeCheckpointError,
    UnsupportedCheckpointError,
)
from numpyclip.images.preprocess import preprocess
from numpyclip.loader import load
from numpyclip.model.fingerprint import Fingerprint
from numpyclip.model.ops import softmax
from numpyclip.saving.save import save
from numpyclip.tokenizer.clip import tokenize
from numpyclip.weights.catalogue import available_models

__version__ = "0.1.0"

__all__ = [
    "CheckpointError",
    "ChecksumError",
    "CorruptCheckpointError",
    "DownloadError",
    "Fingerprint",
    "InputError",
    "MissingPackageError",
    "ModelNotFoundError",
    "NumPyCLIPError",
    "OfflineError",
    "PictureError",
    "StoreError",
    "TextTooLongError",
    "UnsafeCheckpointError",
    "UnsupportedCheckpointError",
    "available_models",
    "load",
    "preprocess",
    "save",
    "softmax",
    "tokenize",
]
