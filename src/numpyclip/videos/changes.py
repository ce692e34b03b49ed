"""FRAMES → MOMENTS: those that differ from the one that was chosen before, and those that follow it after seconds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

LUMA_SIDE = 16  # pixels of a side that tell whether an image has changed
_LEAST_GAP = 0.5  # seconds between frames that are compared
_CHANGE = 16.0  # mean difference of brightness, of 255, from which an image is another one

FrameT = TypeVar("FrameT")


def changes(
    shown: Iterable[tuple[float, FrameT]],
    luma_of: Callable[[FrameT], NDArray[np.float32]],
    every: float,
    apart: float = 0.0,
) -> Iterator[tuple[float, FrameT]]:
    """Choose frames, given with their times in seconds, where the image changes, and one about every few seconds."""
    chosen: float | None = None
    compared, luma = 0.0, np.zeros(0, np.float32)
    for seconds, frame in shown:
        if chosen is not None and (seconds < compared + _LEAST_GAP or seconds < chosen + apart):
            continue
        compared, this = seconds, luma_of(frame)
        if chosen is None or seconds - chosen >= every / 2 or np.abs(this - luma).mean() >= _CHANGE:
            chosen, luma = seconds, this
            yield seconds, frame
