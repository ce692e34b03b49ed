"""A library for which a model is exported: the preprocessing and the precisions that it can express."""

from __future__ import annotations

from dataclasses import dataclass

from numpyclip.arguments import Precision
from numpyclip.errors import InputError, UnsupportedCheckpointError
from numpyclip.images.preprocess import Preprocess, in_pixels
from numpyclip.model.config import list_options
from numpyclip.saving.plan import PREPROCESS

_RESIZE_MODES = ("shortest", "squash")


@dataclass(frozen=True)
class Library:
    """A library: its name, and the precisions that the runtimes it uses have in common."""

    name: str
    precisions: tuple[Precision, ...]

    def check(self, preprocess: Preprocess, precision: Precision) -> None:
        """Raise UnsupportedCheckpointError if it cannot prepare images as a model needs them.

        An InputError if it has no such precision.
        """
        if precision not in self.precisions:
            expected = " or ".join(self.precisions)
            raise InputError(
                f"layout='{self.name}': precision is '{precision}'; expected {expected}. The layout 'open' takes it."
            )
        if len({*preprocess.sides}) > 1:
            raise self.cannot(f"images are {in_pixels(preprocess.size)}", "squares")
        if preprocess.resize_mode not in _RESIZE_MODES:
            raise self.cannot(f"resize_mode of images is '{preprocess.resize_mode}'", " or ".join(_RESIZE_MODES))
        for name, found, default in list_options(preprocess):
            if name not in PREPROCESS and found != default:
                raise self.cannot(f"{name} of images is {found!r:.100}", f"{default!r:.100}")

    def cannot(self, found: str, expected: str) -> UnsupportedCheckpointError:
        """Return the error that a model cannot be exported for this library."""
        return UnsupportedCheckpointError(
            f"layout='{self.name}': {found}; expected {expected}. The layout 'open' takes every model that has a graph."
        )
