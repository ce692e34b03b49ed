"""CLIP in pure NumPy: embed images and texts into one space, without PyTorch.

>>> import numpyclip
>>> model, preprocess = numpyclip.load("tiny")
>>> model.embed_texts(["a red apple", "a dog"]).shape
(2, 128)
"""

from numpyclip.lazy_exports import lazy_exports

TYPE_CHECKING = False  # true for type checkers; see `lazy_exports`
if TYPE_CHECKING:
    from numpyclip import open_clip, reference, tasks
    from numpyclip.dual_encoder.clip import CLIP
    from numpyclip.dual_encoder.coca import CoCa
    from numpyclip.dual_encoder.fingerprint import Fingerprint
    from numpyclip.errors import (
        CheckpointError,
        ChecksumError,
        CorruptCheckpointError,
        DownloadError,
        EngineError,
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
    from numpyclip.images.find import find_pictures
    from numpyclip.images.preprocess import Preprocess
    from numpyclip.index import Index, Where
    from numpyclip.layouts.export import export
    from numpyclip.loader import load
    from numpyclip.model.ops import softmax
    from numpyclip.saving.save import save
    from numpyclip.tokenizer.base import Tokenizer
    from numpyclip.tokenizer.clip_tokenizer import tokenize
    from numpyclip.weights.catalogue import available_models

__version__ = "0.2.0"

__all__ = [
    "CLIP",
    "CheckpointError",
    "ChecksumError",
    "CoCa",
    "CorruptCheckpointError",
    "DownloadError",
    "EngineError",
    "Fingerprint",
    "Index",
    "InputError",
    "MissingPackageError",
    "ModelNotFoundError",
    "NumPyCLIPError",
    "OfflineError",
    "PictureError",
    "Preprocess",
    "StoreError",
    "TextTooLongError",
    "Tokenizer",
    "UnsafeCheckpointError",
    "UnsupportedCheckpointError",
    "Where",
    "__version__",
    "available_models",
    "export",
    "find_pictures",
    "load",
    "open_clip",
    "reference",
    "save",
    "softmax",
    "tasks",
    "tokenize",
]

_MODULES = {
    **{name: "errors" for name in __all__ if name.endswith("Error")},
    "CLIP": "dual_encoder.clip",
    "CoCa": "dual_encoder.coca",
    "Fingerprint": "dual_encoder.fingerprint",
    "Index": "index",
    "Preprocess": "images.preprocess",
    "Tokenizer": "tokenizer.base",
    "Where": "index",
    "available_models": "weights.catalogue",
    "clip": "clip",  # openai/CLIP's module of that name, for its scripts
    "export": "layouts.export",
    "find_pictures": "images.find",
    "load": "loader",
    "open_clip": "open_clip",
    "reference": "reference",
    "save": "saving.save",
    "softmax": "model.ops",
    "tasks": "tasks",
    "tokenize": "tokenizer.clip_tokenizer",
}

if not TYPE_CHECKING:  # to which a `__getattr__` would say that there is any name
    __getattr__, __dir__ = lazy_exports(__name__, __all__, _MODULES)
