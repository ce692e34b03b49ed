"""Names and sizes of the graphs of towers of convolutions: feature maps are transposed for attention only."""

from collections import Counter

from numpyclip.graph import image_graph
from tests.families.test_parity import load


def kinds_in(name: str, module: str) -> Counter[str]:
    """Count the nodes of a module, or of all, by operator."""
    nodes = image_graph(load(name)[0]).graph.node
    return Counter(node.op_type for node in nodes if node.name.startswith(module))


def test_a_block_of_a_resnet() -> None:
    assert kinds_in("open_clip-worldwide_text", "visual.layer2.0.") == {
        "Conv": 4,
        "LeakyRelu": 3,
        "AveragePool": 2,
        "Add": 1,
    }


def test_a_block_of_a_convnext() -> None:
    assert kinds_in("open_clip-convnext", "visual.trunk.stages.0.blocks.0.") == {
        "Conv": 3,
        "ReduceMean": 2,  # the norm of channels: these, and the first four of what follows
        "Sub": 1,
        "Sqrt": 1,
        "Div": 2,
        "Add": 3,
        "Mul": 3,
        "Erf": 1,
    }
    assert kinds_in("open_clip-convnext", "")["Transpose"] == 1  # of the pixels


def test_blocks_of_a_fastvit() -> None:
    gelu = {"Div": 1, "Erf": 1, "Mul": 2}
    assert kinds_in("open_clip-fastvit", "visual.trunk.stages.0.blocks.0.") == {"Conv": 4, "Add": 2, **gelu}
    attention = kinds_in("open_clip-fastvit", "visual.trunk.stages.3.blocks.0.")
    assert attention["Transpose"] == 2 + 4  # to rows and back, and those of attention
    assert attention["Conv"] == 3


def test_weights_have_the_names_of_the_checkpoint_s_modules() -> None:
    names = {
        name: {tensor.name for tensor in image_graph(load(name)[0]).graph.initializer}
        for name in ("open_clip-worldwide_text", "open_clip-convnext-mlp", "open_clip-fastvit", "timm-vitamin")
    }
    assert names["open_clip-worldwide_text"] >= {"visual.conv1.weight", "visual.layer2.0.downsample.0.bias"}
    trunk = "visual.trunk.stages"
    assert names["open_clip-convnext-mlp"] >= {
        "visual.trunk.stem.0.weight",
        f"{trunk}.1.downsample.1.weight",
        f"{trunk}.0.blocks.0.conv_dw.weight",
        f"{trunk}.0.blocks.0.mlp.fc1.weight",
        "visual.head.mlp.c_fc.weight",
    }
    assert names["open_clip-fastvit"] >= {
        "visual.trunk.stem.1.weight",
        f"{trunk}.1.downsample.proj.0.1.weight",
        f"{trunk}.0.blocks.0.token_mixer.weight",
        f"{trunk}.3.pos_emb.weight",
        "visual.trunk.final_conv.se.fc1.weight",
    }
    assert names["timm-vitamin"] >= {
        "visual.stem.stem.conv1.weight",
        "visual.stem.stages.1.0.conv2_kxk.weight",
        "visual.stem.pool.proj.weight",
    }
