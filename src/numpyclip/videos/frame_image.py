"""FRAME → IMAGE: reduced, upright, with square pixels, and in standard dynamic range."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from numpyclip.videos.changes import LUMA_SIDE

if TYPE_CHECKING:
    from PIL import Image

_BT709, _BT601 = "ITU709", "ITU601"
_UNSPECIFIED = 2  # of color spaces
_HD = 720  # lines from which BT.709 is usual where a file does not tell
_PQ, _HLG = 16, 18  # transfer functions, by ISO/IEC 23091-2
_WHITE = 203.0  # cd/m2 of diffuse white, by ITU-R BT.2408
_PEAK = 1000.0  # cd/m2 of HLG
_KNEE = 0.75  # of diffuse white, from which highlights are compressed
# From BT.2020 to BT.709 primaries, by ITU-R BT.2087.
_TO_BT709 = np.array([[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]], np.float32)


def luma_of(frame: Any) -> NDArray[np.float32]:
    """Return the brightness of a frame, in a few pixels."""
    small = frame.reformat(width=LUMA_SIDE, height=LUMA_SIDE, format="gray", interpolation="AREA")
    return np.asarray(small.to_ndarray(), np.float32)


def image_of(frame: Any, side: int, pixel_shape: Fraction | None = None) -> Image.Image:
    """Return a frame as an image whose shorter side has `side` pixels, or as many as the frame."""
    from PIL import Image

    ratio = float(pixel_shape) if pixel_shape and 0.1 < pixel_shape < 10 else 1.0
    width, height = frame.width * ratio, frame.height
    scale = min(1.0, side / min(width, height))
    is_hdr = frame.color_trc in (_PQ, _HLG)
    matrix = (_BT709 if frame.height >= _HD else _BT601) if frame.colorspace == _UNSPECIFIED else None
    small = frame.reformat(
        width=max(1, round(width * scale)),
        height=max(1, round(height * scale)),
        format="rgb48le" if is_hdr else "rgb24",
        src_colorspace=matrix,
        interpolation="AREA",
    )
    pixels = small.to_ndarray()
    image = Image.fromarray(_standard(pixels, frame.color_trc) if is_hdr else pixels)
    turns = round(frame.rotation / 90) % 4  # quarters, counter-clockwise
    return image.transpose(Image.Transpose[f"ROTATE_{90 * turns}"]) if turns else image


def _standard(pixels: NDArray[np.uint16], transfer: int) -> NDArray[np.uint8]:
    """Tone-map PQ or HLG in BT.2020 (y, x, 3) to sRGB: as it is to near diffuse white, and compressed above."""
    signal = pixels / np.float32(65535)
    light = (_pq(signal) if transfer == _PQ else _hlg(signal)) / _WHITE
    light = np.maximum(light @ _TO_BT709.T, 0)
    above = np.maximum(light - _KNEE, 0) / (1 - _KNEE)
    light = np.minimum(light, _KNEE) + (1 - _KNEE) * (1 - np.exp(-above))
    encoded = np.where(light <= 0.0031308, 12.92 * light, 1.055 * np.maximum(light, 1e-6) ** (1 / 2.4) - 0.055)
    return np.asarray(np.clip(encoded * 255 + 0.5, 0, 255), np.uint8)


def _pq(signal: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return cd/m2, by SMPTE ST 2084."""
    root = signal ** (32 / 2523)
    light: NDArray[np.float32] = (np.maximum(root - 3424 / 4096, 0) / (2413 / 128 - 2392 / 128 * root)) ** (8192 / 1305)
    return 10_000 * light


def _hlg(signal: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return cd/m2 of a display of 1,000, by ITU-R BT.2100."""
    low, high = signal**2 / 3, (np.exp((signal - 0.55991073) / 0.17883277) + 0.28466892) / 12
    scene = np.where(signal <= 0.5, low, high)
    luma = scene @ np.array([0.2627, 0.678, 0.0593], np.float32)
    light: NDArray[np.float32] = _PEAK * scene * np.maximum(luma, 1e-6)[..., np.newaxis] ** 0.2
    return light
