import math
from pathlib import Path

import numpy as np
import pytest

import numpyclip
from numpyclip import reference
from numpyclip.model.ops import Array
from numpyclip.model.vision.resnet import ModifiedResNet
from numpyclip.saving.save import save
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


def test_a_second_block_in_every_stage_has_no_downsampling(checkpoints: Path, tmp_path: Path) -> None:
    """As all of OpenAI's ResNets, while the golden ones have one block in each later stage."""
    w, golden = read_golden(checkpoints, "resnet-torchscript.pt")
    random = np.random.default_rng(0)
    for stage, count in enumerate((2, 2, 3, 2), start=1):
        width = w[f"visual.layer{stage}.0.conv1.weight"].shape[0]
        shapes = {1: (width, 4 * width, 1, 1), 2: (width, width, 3, 3), 3: (4 * width, width, 1, 1)}
        for index in range(1, count):
            for i, shape in shapes.items():
                weight = random.standard_normal(shape, np.float32) / math.prod(shape[1:])
                w[f"visual.layer{stage}.{index}.conv{i}.weight"] = weight
                w |= {name.replace(".0.", f".{index}."): w[name] for name in w if f"layer{stage}.0.bn{i}." in name}
    np.savez(tmp_path / "deeper.npz", **w)  # type: ignore[arg-type]
    model, _ = numpyclip.load(tmp_path / "deeper.npz", activation="quick_gelu")
    assert isinstance(model.visual, ModifiedResNet)
    assert model.visual.config.layers == (2, 2, 3, 2)
    ours, theirs = model.encode_image(golden["image"]), reference.encode_image(w, golden["image"])
    assert np.abs(ours - theirs).max() < 1e-5 * np.abs(theirs).max()  # both are in float32
    again, _ = numpyclip.load(save(model, tmp_path / "saved"))
    assert np.array_equal(again.encode_image(golden["image"]), ours)
