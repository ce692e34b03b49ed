"""IMAGE → VIEWS: the crop that a model was trained on, and others that show what it leaves out.

``crop`` is the model's own preprocessing, whatever that is. ``pad`` and ``squash`` show the whole image, as OpenCLIP's
``resize_mode`` of "longest" and "squash" do. ``tiles`` are squares (or of the model's shape) that cover an image that
is long: the middle, and what it leaves out.

What is the same for a model is one view: ``squash`` for a model that squashes images anyway, the middle tile for one
that crops them, and all but tiles for one that takes images of any shape, or of an image of the model's shape.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from numpyclip.errors import InputError
from numpyclip.images.decode_options import DEFAULTS, DecodeOptions
from numpyclip.images.open import Picture, decoded, name_of
from numpyclip.images.preprocess import Preprocess

if TYPE_CHECKING:  # Pillow is imported when the first image arrives
    from PIL import Image

View: TypeAlias = Literal["crop", "pad", "squash", "tiles"]

VIEWS: tuple[View, ...] = get_args(View)
CROP: tuple[View, ...] = ("crop",)

_LONG = (13, 10)  # sides, from which on there are tiles
_MOST_TILES = 9  # of an image, which cover one of 9 : 1
_SIDES = {True: ("left", "right"), False: ("top", "bottom")}


@dataclass(frozen=True)
class PictureView:
    """One of the views of an image.

    Attributes
    ----------
    name : str
        "crop", "pad" or "squash"; or that of a tile: "left" or "right", "top" or "bottom", the second one from there
        "left-2" and so forth, and "middle".
    preprocess : Preprocess
    box : tuple of 4 int, optional
        Left, top, right and bottom of a tile.
    """

    name: str
    preprocess: Preprocess
    box: tuple[int, int, int, int] | None = None

    def crop(self, image: Image.Image) -> NDArray[np.uint8]:
        """Make its pixels, as `Preprocess.crop` does."""
        if self.box is None:
            return self.preprocess.crop(image)
        tile = image.crop(self.box)
        tile.filename = name_of(image)  # type: ignore[attr-defined]  # for messages
        return self.preprocess.crop(tile)

    def seen(self, width: int, height: int) -> tuple[float, float, float, float]:
        """Compute which part of the image it shows, as `Preprocess.view` does."""
        if self.box is None:
            return self.preprocess.view(width, height)
        x, y, right, bottom = self.box
        left, top, across, down = self.preprocess.view(right - x, bottom - y)
        return x + left, y + top, x + across, y + down


def checked_views(views: str | Iterable[str]) -> tuple[View, ...]:
    """Return views, each once and in the order of `VIEWS`; InputError if there are none, or others."""
    named = [views] if isinstance(views, str) else [*views] if isinstance(views, Iterable) else []
    if not named or any(name not in VIEWS for name in named):
        raise InputError(f"views is {views!r:.80}; expected one or more of {', '.join(map(repr, VIEWS))}.")
    return tuple(view for view in VIEWS if view in named)


def views_of(preprocess: Preprocess, views: Sequence[View], width: int, height: int) -> list[PictureView]:
    """Return the different views of an image of this size, the model's own first."""
    found = [PictureView("crop", preprocess)] if "crop" in views else []
    for mode in ("longest", "squash"):
        name = "pad" if mode == "longest" else "squash"
        if name in views:
            found.append(_whole(name, preprocess, mode, width, height))
    if "tiles" in views:
        found += _tiles(preprocess, width, height) or [PictureView("crop", preprocess)]
    by_name = {view.name: view for view in found}
    return sorted(by_name.values(), key=lambda view: view.name != "crop")


def view_of(name: str) -> View:
    """Return which of the views one with this name is, or is a tile of."""
    return next((view for view in VIEWS if view == name), "tiles")


def read_views(
    preprocess: Preprocess,
    views: Sequence[View],
    picture: Picture,
    options: DecodeOptions = DEFAULTS,
    *,
    name: str | None = None,
) -> dict[str, NDArray[np.uint8]]:
    """Decode an image once, and make its views, as `Preprocess.read` makes one."""
    with decoded(picture, options, draft_size=preprocess.draft_size(options), name=name) as image:
        pixels = {view.name: view.crop(image) for view in views_of(preprocess, views, *image.size)}
        del image
    return pixels


def _whole(
    name: str, preprocess: Preprocess, mode: Literal["longest", "squash"], width: int, height: int
) -> PictureView:
    """Return the view that pads or squashes an image, or the model's own if that is the same."""
    down, across = preprocess.sides
    is_own = preprocess.resize_mode == mode or (
        width * down == height * across and preprocess.resize_mode in ("shortest", "longest", "squash")
    )
    is_whole = preprocess.short_side is None or preprocess.resize_mode == "longest"
    if preprocess.patch_size is not None or (is_own and is_whole):
        return PictureView("crop", preprocess)
    return PictureView(name, replace(preprocess, resize_mode=mode, short_side=None))


def _tiles(preprocess: Preprocess, width: int, height: int) -> list[PictureView]:
    """Return the tiles of an image; none if it is not long."""
    is_crop = preprocess.resize_mode == "shortest"  # which is the middle tile
    if preprocess.patch_size is None:
        down, across = preprocess.sides
        tile = replace(preprocess, resize_mode="squash", short_side=None)
    else:
        down, across, tile = 1, 1, preprocess  # which sees a tile as it sees any image
    is_wide = width * down >= height * across
    long, short = (width * down, height * across) if is_wide else (height * across, width * down)
    if not short or long * _LONG[1] <= short * _LONG[0]:
        return []
    count = min(-(-long // short) | 1, _MOST_TILES)  # odd, so that one is in the middle
    end, side = (width, height * across / down) if is_wide else (height, width * down / across)
    side = max(round(side), 1)
    found = []
    for number in range(count):
        start = round((end - side) * number / (count - 1))
        box = (start, 0, start + side, height) if is_wide else (0, start, width, start + side)
        name = _name(number, count, is_wide)
        found.append(PictureView("crop", preprocess) if is_crop and name == "middle" else PictureView(name, tile, box))
    return found


def _name(number: int, count: int, is_wide: bool) -> str:
    """Name a tile by the end that it is nearer to."""
    if 2 * number + 1 == count:
        return "middle"
    from_end = min(number, count - 1 - number)
    return _SIDES[is_wide][2 * number > count] + (f"-{from_end + 1}" if from_end else "")
