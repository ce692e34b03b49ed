from pathlib import Path

import numpy as np

from numpyclip import reference
from numpyclip.model.token_layout import TokenLayout
from numpyclip.model.vision.vit import VisionTransformer
from tests.model.golden import assert_close, from_columns, load_golden, read_golden, to_columns


def test_every_block_equals_the_reference(checkpoints: Path) -> None:
    w, golden = read_golden(checkpoints, "vit-torchscript.pt")
    model, _ = load_golden(checkpoints, "vit-torchscript.pt")
    visual = model.visual
    assert isinstance(visual, VisionTransformer)
    stages = dict(reference.image_stages(w, golden["image"]))
    x = stages["visual.ln_pre"]
    for index, block in enumerate(visual.transformer.resblocks.items):
        ours = from_columns(block(to_columns(x), TokenLayout(len(x))), len(x))
        x = stages[f"visual.transformer.resblocks.{index}"]
        assert_close(ours, x)


def test_the_tower_equals_the_reference_for_any_number_of_pictures(checkpoints: Path) -> None:
    w, _ = read_golden(checkpoints, "vit-torchscript.pt")
    model, _ = load_golden(checkpoints, "vit-torchscript.pt")
    for n in (1, 2, 7):
        image = np.random.default_rng(n).standard_normal((n, 3, 32, 32)).astype(np.float32)
        assert_close(model.visual(image), reference.encode_image(w, image))
