"""IMAGE → RGB, with its transparency dropped, or on white."""

from __future__ import annotations

from typing import TYPE_CHECKING

from numpyclip.images.bit_depth import bands

if TYPE_CHECKING:  # Pillow is imported when the first image arrives
    from PIL import Image


def without_alpha(image: Image.Image) -> Image.Image:
    """Make an image RGB. Transparent pixels get the color stored under the alpha channel."""
    if "transparency" in image.info:
        image = image.copy()
        del image.info["transparency"]  # Pillow would warn of it
    return image.convert("RGB")


def on_white(image: Image.Image) -> Image.Image:
    """Make an image RGB, on a white background."""
    from PIL import Image

    if "A" in image.getbands() or image.info.get("transparency") is not None:
        opaque = Image.new("RGB", image.size, "white")
        for box in bands(image.size):  # to need less memory
            band = image.crop(box).convert("RGBA")
            opaque.paste(Image.alpha_composite(Image.new("RGBA", band.size, "white"), band), box)
        return opaque
    return image if image.mode == "RGB" else image.convert("RGB")
