from pathlib import Path

import pytest

from numpyclip.model import ops
from tests.model.golden import assert_close, load_golden


@pytest.mark.parametrize("name", ["vit-torchscript.pt", "resnet-torchscript.pt"])
def test_text_transformer_equals_the_reference_at_every_stage(checkpoints: Path, name: str) -> None:
    model, golden = load_golden(checkpoints, name)
    text, ids = model.text, golden["text"]
    x = text.token_embedding[ids] + text.positional_embedding
    for index, block in enumerate(text.transformer.resblocks):
        x = block(x, ops.causal_mask(ids.shape[1]))
        assert_close(x, golden[f"stage transformer.resblocks.{index}"])
    assert_close(text.ln_final(x), golden["stage ln_final"])
