"""Sizes of images whose sides are whole numbers of patches."""

import math


def whole_patches(width: int, height: int, patch_size: int, most: int) -> tuple[int, int]:
    """Scale the sides of an image, rounded up to whole patches, until there are as many patches as are allowed.

    The scale is halved in to the very same steps as in `get_image_size_for_max_num_patches` of transformers'
    models/siglip2/image_processing_siglip2.py, where the last one is 1e-5: its exact value decides about roundings.
    """

    def patches(side: int, scale: float) -> int:
        return max(math.ceil(side * scale / patch_size), 1)

    low, high = 1e-6, 100.0
    while high - low >= 1e-5:
        scale = (low + high) / 2
        if patches(height, scale) * patches(width, scale) <= most:
            low = scale
        else:
            high = scale
    return patches(width, low) * patch_size, patches(height, low) * patch_size
