from pathlib import Path

from numpyclip.model import ops
from numpyclip.model.ops import Array
from numpyclip.model.resnet import ModifiedResNet
from tests.model.golden import assert_close, load_golden


def test_resnet_equals_the_reference_at_every_stage(checkpoints: Path) -> None:
    model, golden = load_golden(checkpoints, "resnet-torchscript.pt")
    visual = model.visual
    assert isinstance(visual, ModifiedResNet)

    def assert_stage(x: Array, name: str) -> None:
        assert_close(x.transpose(0, 3, 1, 2), golden[f"stage visual.{name}"])

    x = golden["image"].transpose(0, 2, 3, 1)
    for index, (conv, bn) in enumerate(visual.stem, start=1):
        x = ops.relu(bn(conv(x)))
        assert_stage(x, f"relu{index}")
    x = ops.average_pool(x, 2)
    assert_stage(x, "avgpool")
    blocks = iter(visual.blocks)
    for stage, count in enumerate(visual.config.layers, start=1):
        for _ in range(count):
            x = next(blocks)(x)
        assert_stage(x, f"layer{stage}")
    assert_close(visual.attnpool(x), golden["stage visual.attnpool"])
