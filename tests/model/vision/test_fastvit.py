from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.errors import CheckpointError
from numpyclip.families.description import ModelDescription
from numpyclip.families.recognize import recognize
from numpyclip.families.repository_files import files_at
from numpyclip.model import reparameterize
from numpyclip.model.ops import Array
from tests.families.test_parity import FAMILIES, load
from tests.model.golden import assert_close

ADD = {  # the first part of a branch's name → what adds up the branches
    "conv_kxk": reparameterize.add_mobile_one,
    "large_conv": reparameterize.add_large_kernel,
    "pos_enc": reparameterize.add_position,
    "mixer": reparameterize.add_rep_mixer,
}


def read(name: str) -> ModelDescription:
    return recognize(files_at(FAMILIES / name))


def embed(found: ModelDescription, image: Array) -> Array:
    return CLIP.read(found.checkpoint, found.config, found.tokenizer).encode_image(image)


def with_branches_added_up(found: ModelDescription) -> ModelDescription:
    """The checkpoint as it would be if the training code had added up all branches before it saved them."""
    arrays = dict(found.checkpoint.arrays)
    for part in ("mixer", *ADD):  # first, for it holds the branches of another
        names = {name[: name.index(f".{part}.")] for name in arrays if f".{part}." in name}
        for name in names:
            weight, bias = reparameterize.fuse(found.checkpoint, name, ADD[part])
            kept = (".se.", ".fc1.", ".fc2.")
            arrays = {n: a for n, a in arrays.items() if not n.startswith(f"{name}.") or any(k in n for k in kept)}
            arrays |= {f"{name}.reparam_conv.weight": weight, f"{name}.reparam_conv.bias": bias}
    return replace(found, checkpoint=replace(found.checkpoint, arrays=arrays, identity=None))


@pytest.mark.parametrize("name", ["open_clip-fastvit", "open_clip-fastvit-five-stages"])
def test_branches_added_up_in_the_file_give_the_same(name: str) -> None:
    found, (_, golden) = read(name), load(name)
    one = with_branches_added_up(found)
    assert not any("conv_kxk" in n or "identity" in n or "pos_enc" in n for n in one.checkpoint.arrays)
    assert_close(embed(one, golden["image"]), golden["encode_image"])


def branch_names() -> list[str]:
    checkpoint = read("open_clip-fastvit").checkpoint
    ends = (".identity.weight", ".conv.weight", ".pos_enc.weight", ".se.fc1.weight", ".gamma")
    return [name for name in checkpoint.arrays if name.startswith("visual.") and name.endswith(ends)]


@pytest.mark.parametrize("name", branch_names())
def test_a_missing_branch_is_named(name: str) -> None:
    found = read("open_clip-fastvit")
    arrays = {n: a for n, a in found.checkpoint.arrays.items() if n != name}
    with pytest.raises(CheckpointError, match=f"tensor '{name}' is missing"):
        embed(replace(found, checkpoint=replace(found.checkpoint, arrays=arrays)), np.zeros((1, 3, 56, 56), np.float32))


@pytest.mark.exhaustive
def test_every_tensor_of_the_tower_counts() -> None:
    found, (_, golden) = read("open_clip-fastvit"), load("open_clip-fastvit")
    compute = partial(embed, image=golden["image"][:1])
    expected = compute(found)
    for name, array in found.checkpoint.arrays.items():
        if name.startswith("visual.") and not name.endswith("num_batches_tracked"):
            arrays = {**found.checkpoint.arrays, name: (array * np.float32(1.5)).astype(np.float32)}
            changed = compute(replace(found, checkpoint=replace(found.checkpoint, arrays=arrays, identity=None)))
            # four orders above what rounding makes
            assert np.abs(changed - expected).max() > 1e-4 * np.abs(expected).max(), name
