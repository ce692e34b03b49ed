"""FG-CLIP 2 as its authors' code saves it, for short texts, with what its processor makes of pictures.

Needs fgclip2/model of the git repository of github.com/360CVGroup/FG-CLIP (Apache 2.0; commit b1af1cd) in $PYTHONPATH,
and transformers 4.57, which that code is written for.
"""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from strcs.configuration_fgclip2 import Fgclip2Config
from strcs.image_processing_fgclip2 import Fgclip2ImageProcessor, convert_image_to_patches
from strcs.modeling_fgclip2 import Fgclip2Model

from golden.common import SEED, ids, images, record
from golden.transformers_clip import TEXT, VISION, randomized_folder

_PATCH = 8
_PICTURES = ((50, 90), (70, 150), (33, 33), (20, 300), (200, 190), (200, 240), (260, 300))  # heights and widths


def save(golden: Path) -> None:
    """Save the model, and what the code computes, of one picture at a time: its processor looks at the largest."""
    folder = golden / "authors-fg-clip-2"
    width = {"hidden_size": 32, "num_hidden_layers": 1}
    vision = {key: value for key, value in VISION.items() if key != "image_size"} | {**width, "num_patches": 16}
    config = Fgclip2Config(text_config={**TEXT, **width, "longtext_len": 30}, vision_config=vision)
    model = randomized_folder(folder, Fgclip2Model(config), 340)
    processor = Fgclip2ImageProcessor(patch_size=_PATCH)
    processor.save_pretrained(folder)
    image, text = images(32), ids(12, 96, pad=1)
    tiles = np.random.default_rng(SEED).integers(0, 256, (len(_PICTURES), 9, 7, 3), np.uint8)
    pictures = [
        np.tile(tile, (height // 9 + 1, width // 7 + 1, 1))[:height, :width]
        for tile, (height, width) in zip(tiles, _PICTURES, strict=True)
    ]
    processed = [processor(Image.fromarray(picture), return_tensors="pt") for picture in pictures]
    with torch.no_grad():
        record(
            folder,
            ("torch", "transformers", "FG-CLIP b1af1cd"),
            image=image,
            encode_image=torch.cat([_embed(model, each.numpy()) for each in image]),
            text=text,
            encode_text=model.get_text_features(input_ids=text),
            **{f"picture_{i}": picture for i, picture in enumerate(pictures)},
            shapes=torch.cat([each["spatial_shapes"] for each in processed]),
            embed_images=torch.cat(
                [
                    model.get_image_features(**{**each, "pixel_values": each["pixel_values"].double()})
                    for each in processed
                ]
            ),
        )


def _embed(model: Fgclip2Model, image: np.ndarray) -> torch.Tensor:
    patches = torch.from_numpy(convert_image_to_patches(image.transpose(1, 2, 0), _PATCH))[None]
    return model.get_image_features(
        pixel_values=patches.double(),
        pixel_attention_mask=torch.ones(patches.shape[:2], dtype=torch.int32),
        spatial_shapes=torch.tensor([[side // _PATCH for side in image.shape[1:]]]),
    )
