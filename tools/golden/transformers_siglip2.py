"""SigLIP 2 for pictures of any shape (NaFlex) as transformers saves it, with what its processor makes of pictures."""

from pathlib import Path

import numpy as np
import torch
import transformers
from PIL import Image
from transformers.models.siglip2.image_processing_pil_siglip2 import convert_image_to_patches, pad_along_first_dim

from golden.common import SEED, ids, record
from golden.transformers_clip import TEXT, VISION, randomized_folder

_PATCH, _MOST = 8, 16
# None is a single column of patches: PyTorch 2.14 gives all rows of such a one the place of the first, by mistake.
_SHAPES = ((3, 5), (4, 4), (2, 7), (1, 1), (1, 16))  # rows and columns of patches; of the first ones three pictures
_PICTURES = ((50, 90), (33, 33), (20, 300), (21, 22), (7, 5))  # heights and widths


def save(golden: Path) -> None:
    """Save the model, and what transformers computes, of pictures side by side where padding is hidden."""
    folder = golden / "transformers-siglip2"
    vision = {key: value for key, value in VISION.items() if key != "image_size"} | {"num_patches": 16}
    config = transformers.Siglip2Config(text_config={**TEXT, "projection_size": 48}, vision_config=vision)
    model = randomized_folder(folder, transformers.Siglip2Model(config), 330)
    processor = transformers.Siglip2ImageProcessorPil(patch_size=_PATCH, max_num_patches=_MOST)
    processor.save_pretrained(folder)

    random = np.random.default_rng(SEED)
    images = [random.standard_normal((3, 3, rows * _PATCH, columns * _PATCH)) for rows, columns in _SHAPES]
    images = [image.astype(np.float32) for image in images]
    pictures = [random.integers(0, 256, (height, width, 3), np.uint8) for height, width in _PICTURES]
    processed = processor([Image.fromarray(picture) for picture in pictures], return_tensors="pt")
    text = ids(12, 96, pad=1)
    with torch.no_grad():
        features = embed(model, [image[0] for image in images])
        record(
            folder,
            ("torch", "transformers"),
            image=images[0],
            encode_image=embed(model, list(images[0])),
            text=text,
            encode_text=model.get_text_features(input_ids=text).pooler_output,
            **{f"image_{i}": image[:1] for i, image in enumerate(images)},
            encode_images=features,
            **{f"picture_{i}": picture for i, picture in enumerate(pictures)},
            **{f"patches_{i}": patches for i, patches in enumerate(processed["pixel_values"])},
            shapes=processed["spatial_shapes"],
            embed_images=model.get_image_features(
                pixel_values=processed["pixel_values"].double(),
                pixel_attention_mask=processed["pixel_attention_mask"],
                spatial_shapes=processed["spatial_shapes"],
            ).pooler_output,
        )


def embed(model: transformers.PreTrainedModel, images: list[np.ndarray]) -> torch.Tensor:
    """Embed pictures (3, y, x) of any shapes in one batch."""
    rows, masks = zip(*(pad_along_first_dim(convert_image_to_patches(i, _PATCH), _MOST) for i in images), strict=True)
    return model.get_image_features(
        pixel_values=torch.from_numpy(np.stack(rows)).double(),
        pixel_attention_mask=torch.from_numpy(np.stack(masks)),
        spatial_shapes=torch.tensor([[side // _PATCH for side in image.shape[1:]] for image in images]),
    ).pooler_output
