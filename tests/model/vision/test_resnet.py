from pathlib import Path

import numpy as np
import pytest

from numpyclip import reference
from numpyclip.model.ops import Array
from numpyclip.model.vision.resnet import ModifiedResNet
from tests.model.golden import assert_close, load_golden, read_golden


def test_every_stage_equals_the_reference(checkpoints: Path) -> None:
    w, golden = read_golden(checkpoints, "resnet-torchscript.pt")
    model, _ = load_golden(checkpoints, "resnet-torchscript.pt")
    visual = model.visual
    assert isinstance(visual, ModifiedResNet)
    stages = dict(reference.image_stages(w, golden["image"]))

    def columns(name: str) -> Array:
        return np.ascontiguousarray(stages[f"visual.{name}"].transpose(1, 2, 3, 0))  # (c, y, x, b)

    blocks, x = iter(visual.blocks.items), columns("avgpool")
    for stage, count in enumerate(visual.config.layers, start=1):
        for _ in range(count):
            x = next(blocks)(x)
        assert_close(x, columns(f"layer{stage}"))
        x = columns(f"layer{stage}")
    assert_close(visual.attnpool(x), stages["visual.attnpool"].T)


@pytest.mark.parametrize("n", [1, 2, 7])
def test_the_tower_equals_the_reference_for_any_number_of_pictures(checkpoints: Path, n: int) -> None:
    w, _ = read_golden(checkpoints, "resnet-torchscript.pt")
    model, _ = load_golden(checkpoints, "resnet-torchscript.pt")
    image = np.random.default_rng(n).standard_normal((n, 3, 64, 64)).astype(np.float32)
    assert_close(model.visual(image), reference.encode_image(w, image))
