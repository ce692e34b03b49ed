"""Which stage of tokens is chosen: with the last norm as in `last_hidden_state`, unless a caller says otherwise."""

import pytest

from numpyclip.errors import InputError
from numpyclip.model.token_stages import TokenStage, TokenStages

CLIP_IMAGE = TokenStages(layers=3, norms_all=False)
CLIP_TEXT = TokenStages(layers=3)
CONVOLUTIONS = TokenStages(layers=3, has_norm=False, projected_from=3)


@pytest.mark.parametrize(
    ("stages", "layer", "norm", "project", "expected"),
    [
        (CLIP_TEXT, -1, None, False, TokenStage(layer=3, norm=True)),
        (CLIP_TEXT, 3, None, False, TokenStage(layer=3, norm=True)),
        (CLIP_TEXT, -2, None, False, TokenStage(layer=2)),
        (CLIP_TEXT, -2, True, False, TokenStage(layer=2, norm=True)),
        (CLIP_TEXT, -1, False, False, TokenStage(layer=3)),
        (CLIP_TEXT, 0, None, True, TokenStage(layer=0, project=True)),
        (CLIP_IMAGE, -1, None, False, TokenStage(layer=3)),
        (CLIP_IMAGE, -4, True, False, TokenStage(layer=0, norm=True)),
        (CONVOLUTIONS, -1, None, False, TokenStage(layer=3)),
        (CONVOLUTIONS, -1, True, True, TokenStage(layer=3, norm=True, project=True)),
    ],
)
def test_the_stage_that_a_caller_asks_for(
    stages: TokenStages, layer: int, norm: bool | None, project: bool, expected: TokenStage
) -> None:
    assert stages.choose("tokens", layer, norm, project) == expected


@pytest.mark.parametrize(
    ("stages", "layer", "norm", "project", "message"),
    [
        (CLIP_TEXT, 4, None, False, "tokens: layer is 4; expected an integer from -4 to 3"),
        (CLIP_TEXT, -1, False, True, "tokens: norm is False, but a projection always follows the last norm"),
        (CONVOLUTIONS, -1, True, False, "tokens: norm is True, but this tower has no norm for single tokens"),
        (CONVOLUTIONS, 2, None, True, "tokens: project is True, but only the last layer can be projected"),
        (TokenStages(layers=3, projected_from=None), -1, None, True, "has no projection of single tokens"),
    ],
)
def test_a_stage_that_is_not_there_is_refused(
    stages: TokenStages, layer: int, norm: bool | None, project: bool, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        stages.choose("tokens", layer, norm, project)
