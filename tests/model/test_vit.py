from pathlib import Path

import numpy as np

from numpyclip.model import ops
from numpyclip.model.vit import VisionTransformer
from tests.model.golden import assert_close, load_golden


def test_vision_transformer_equals_the_reference_at_every_stage(checkpoints: Path) -> None:
    model, golden = load_golden(checkpoints, "vit-torchscript.pt")
    visual = model.visual
    assert isinstance(visual, VisionTransformer)
    x = ops.linear(ops.patches(golden["image"], visual.config.patch_size), visual.conv1)
    conv1 = golden["stage visual.conv1"]
    assert_close(x, conv1.reshape(*conv1.shape[:2], -1).swapaxes(1, 2))
    first = np.broadcast_to(visual.class_embedding, (len(x), 1, x.shape[-1]))
    x = visual.ln_pre(np.concatenate([first, x], axis=1) + visual.positional_embedding)
    assert_close(x, golden["stage visual.ln_pre"])
    for index, block in enumerate(visual.transformer.resblocks):
        x = block(x)
        assert_close(x, golden[f"stage visual.transformer.resblocks.{index}"])
    assert_close(visual.ln_post(x[:, 0]), golden["stage visual.ln_post"])
