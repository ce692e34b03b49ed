"""Who tells the activation, and what is said where they disagree."""

from pathlib import Path

import pytest

from numpyclip.errors import CheckpointError
from numpyclip.families.activation import Claim, contradiction, decide
from numpyclip.families.config_file import Section

QUICK, TANH = Claim("a.pt", "records", "quick_gelu"), Claim("config.json", "describes a model with", "gelu_tanh")
GELU, SILENT = Claim("b.pt", "records", "gelu"), Claim("c.pt", "records", None)


def test_the_first_that_tells_is_the_most_exact() -> None:
    assert decide([SILENT, None, TANH, GELU], None) == "gelu_tanh"
    assert decide([TANH, GELU], "gelu_tanh") == "gelu_tanh"


def test_the_argument_counts_where_nobody_tells() -> None:
    assert decide([SILENT, None], "gelu") == "gelu"
    assert decide([SILENT, None], None) is None


def test_a_contradiction_names_both_sides() -> None:
    with pytest.raises(CheckpointError, match=r"config\.json: describes .* 'gelu_tanh', but a.pt records 'quick_gelu'"):
        decide([TANH, QUICK], None)
    with pytest.raises(CheckpointError, match=r"RN50: was trained with .* 'quick_gelu', but 'gelu' was passed"):
        decide([Claim("RN50", "was trained with", "quick_gelu"), SILENT], "gelu")
    with pytest.raises(CheckpointError, match=r"config\.json: describes .* 'gelu_tanh', but 'gelu' was passed"):
        decide([TANH, GELU], "gelu")


@pytest.mark.parametrize(("beside", "expected"), [("true", None), ("false", "'gelu'; that of Toy is 'quick_gelu'")])
def test_a_config_file_that_differs_from_the_table_is_doubtful(
    beside: str, expected: str | None, tmp_path: Path
) -> None:
    table = Section(tmp_path / "Toy", "", {"model_cfg": {"quick_gelu": True}})
    assert contradiction(table, tmp_path) is None
    (tmp_path / "open_clip_config.json").write_text(f'{{"model_cfg": {{"quick_gelu": {beside}}}}}')
    found = contradiction(table, tmp_path)
    assert found is None if expected is None else expected in str(found)
