"""MORE THAN EIGHT BITS → EIGHT: samples are scaled by their range, where Pillow would cut them off at 255."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from PIL import Image

_BAND = 1 << 20  # pixels that are converted at once, to save memory
_BITS, _PHOTOMETRIC, _MAXIMUM, _FORMAT, _SMINIMUM, _SMAXIMUM = 258, 262, 281, 339, 340, 341  # tags of TIFF 6.0
_WHITE_IS_ZERO, _UNSIGNED = 0, 1  # values of two of them
_USUAL_BITS = (8, 10, 12, 14, 15, 16, 24, 31, 32)


def bands(size: tuple[int, int]) -> Iterator[tuple[int, int, int, int]]:
    """Cut an image into boxes, (left, top, right, bottom), of its width, which together take little memory."""
    width, height = size
    step = max(1, _BAND // width)
    for top in range(0, height, step):
        yield 0, top, width, min(top + step, height)


@dataclass(frozen=True)
class Depth:
    """What a file says about its samples, which are of one channel and have more than eight bits."""

    low: float = 0.0  # becomes black
    high: float | None = None  # becomes white; None if the file does not say
    unsigned: bool = False  # samples of 32 bits, which Pillow takes for signed ones
    inverted: bool = False

    @classmethod
    def of(cls, image: Image.Image) -> Depth | None:
        """Read the header of a file; None if its samples have eight bits."""
        if image.mode != "F" and not image.mode.startswith("I"):
            return None
        if image.format in ("PNG", "PPM") and image.mode == "I":
            return cls(high=65535.0)  # of PNG before Pillow 11; of PPM Pillow scales samples by the maximum it states
        tags = getattr(image, "tag_v2", {})
        low, high = _number(tags.get(_SMINIMUM)) or 0.0, _number(tags.get(_SMAXIMUM)) or _number(tags.get(_MAXIMUM))
        if high is None and image.mode.startswith("I;16"):
            high = 2.0 ** (_number(tags.get(_BITS)) or 16) - 1
        unsigned = _number(tags.get(_FORMAT, _UNSIGNED)) == _UNSIGNED
        return cls(
            low if high is not None and low < high else 0.0,
            high if high is not None and low < high else None,
            unsigned=unsigned and image.format == "TIFF" and image.mode == "I",
            inverted=tags.get(_PHOTOMETRIC) == _WHITE_IS_ZERO,
        )

    def eight_bits(self, image: Image.Image) -> Image.Image:
        """Scale the samples to 0..255; NaN becomes black."""
        from PIL import Image

        low, high = (self.low, self.high) if self.high is not None else self._measured(image)
        scaled = Image.new("L", image.size)
        for left_top, samples in self._samples(image):
            with np.errstate(invalid="ignore", over="ignore"):
                levels = np.nan_to_num((samples - low) * (255 / (high - low or 1)), nan=0, posinf=255, neginf=0)
            eight = np.rint(levels.clip(0, 255)).astype(np.uint8)
            scaled.paste(Image.fromarray(255 - eight if self.inverted else eight), left_top)
        return scaled

    def _measured(self, image: Image.Image) -> tuple[float, float]:
        """Choose the range of samples of which the file states none.

        From 0 to what the fewest usual number of bits hold, or to 1 if no sample is above, if the largest sample is
        above a quarter of that; else from the smallest to the largest.
        """
        low, high = np.inf, -np.inf
        for _, samples in self._samples(image):
            finite = samples[np.isfinite(samples)]
            low, high = min(low, finite.min(initial=np.inf)), max(high, finite.max(initial=-np.inf))
        usual = [float(2**bits - 1) for bits in _USUAL_BITS]
        limit = next((limit for limit in ([1.0, *usual] if image.mode == "F" else usual) if high <= limit), np.inf)
        if low >= 0 and high > limit / 4:
            return 0.0, limit
        return (float(low), float(high)) if low < high else (0.0, 1.0)

    def _samples(self, image: Image.Image) -> Iterator[tuple[tuple[int, int], NDArray[np.float64]]]:
        """Give the samples (y, x), band by band."""
        for box in bands(image.size):
            samples = np.asarray(image.crop(box))
            yield box[:2], (samples.view(np.uint32) if self.unsigned else samples).astype(np.float64)


def _number(value: Any) -> float | None:
    """Read the value of a tag, which holds a number, perhaps for each channel."""
    try:
        number = float(value[0] if isinstance(value, tuple) else value)
    except (IndexError, TypeError, ValueError, ZeroDivisionError):
        return None
    return number if np.isfinite(number) else None
