"""Queries of several terms."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.errors import InputError
from numpyclip.model.ops import normalize
from numpyclip.tasks.query import Query, Term


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("a dog", [("a dog", 1)]),
        ("horse + stripes - grass", [("horse", 1), ("stripes", 1), ("grass", -1)]),
        ("2*cat - 0.5 * dog", [("cat", 2), ("dog", -0.5)]),
        ("- cars", [("cars", -1)]),
        ("+ cars", [("cars", 1)]),
        ("black-and-white + t-shirt", [("black-and-white", 1), ("t-shirt", 1)]),
        ("C++ code", [("C++ code", 1)]),
        ("a -5 sign", [("a -5 sign", 1)]),
        ('"rock + roll" + 2*"5 * 3"', [("rock + roll", 1), ("5 * 3", 2)]),
        ("  cat   +   dog  ", [("cat", 1), ("dog", 1)]),
        ("5 dogs", [("5 dogs", 1)]),
        ("0*cat + dog", [("cat", 0), ("dog", 1)]),
        ('a "quoted" word', [('a "quoted" word', 1)]),
        ("猫 - 犬", [("猫", 1), ("犬", -1)]),
    ],
)
def test_terms_are_between_signs_with_spaces(text: str, terms: list[tuple[str, float]]) -> None:
    query = Query.parse(text)
    assert query == Query(tuple(Term(*term) for term in terms))


@pytest.mark.parametrize("text", ["horse + stripes - grass", "2*cat - 0.5*dog", "- cars"])
def test_a_query_is_written_as_it_is_read(text: str) -> None:
    assert str(Query.parse(text)) == text


@pytest.mark.parametrize("text", ["", "  ", "cat + ", "+ + cat", "cat - - dog", '""', "2*"])
def test_a_query_without_a_term_is_refused(text: str) -> None:
    if text == "2*":  # no term stands behind the star, so it is a text itself
        assert Query.parse(text).terms == (Term("2*"),)
        return
    with pytest.raises(InputError, match="a term is missing"):
        Query.parse(text)


def test_weights_of_0_alone_ask_for_nothing() -> None:
    with pytest.raises(InputError, match="all weights are 0"):
        Query.parse("0*cat - 0*dog")


def test_the_embedding_is_the_weighted_sum_of_unit_length(tiny: CLIP) -> None:
    horse, grass = tiny.embed_texts(["horse", "grass"])
    found = Query.parse("2*horse - grass").embed(tiny)
    np.testing.assert_allclose(found, normalize(2 * horse - grass), atol=1e-6)
    assert found.dtype == np.float32
    assert found.shape == (128,)


def test_a_path_of_a_picture_is_the_picture(tiny: CLIP, bird: Path) -> None:
    expected = normalize(tiny.embed_images(bird)[0] + tiny.embed_texts("at night")[0])
    np.testing.assert_allclose(Query.parse(f"{bird} + at night").embed(tiny), expected, atol=1e-6)


def test_a_path_from_a_stranger_is_a_text(bird: Path) -> None:
    (term,) = Query.parse(str(bird), pictures=False).terms
    assert term == Term(str(bird))
    assert Query.parse(f'"{bird}"').terms == (term,)
    assert Query.parse("nowhere/bird.png", pictures=False).terms == (Term("nowhere/bird.png"),)


def test_terms_that_cancel_each_other_are_refused(tiny: CLIP) -> None:
    with pytest.raises(InputError, match=r"query cat - cat: its terms cancel each other"):
        Query.parse("cat - cat").embed(tiny)


def test_pictures_are_decoded_as_an_index_decodes_them(tiny: CLIP, tmp_path: Path) -> None:
    large = tmp_path / "large.jpg"
    Image.effect_mandelbrot((1024, 1024), (-3, -2.5, 2, 2.5), 100).save(large)
    embedding = Query.parse(str(large)).embed(tiny)
    np.testing.assert_array_equal(embedding, tiny.embed_images(large, draft=True)[0])
    assert np.abs(embedding - tiny.embed_images(large)[0]).max() > 1e-6


def test_weights_that_leave_no_number_are_refused(tiny: CLIP) -> None:
    for query in (Query.parse(f"{'9' * 400}*a + b"), Query.parse(f"{'9' * 38}*a"), Query((Term("a", float("nan")),))):
        with pytest.raises(InputError, match="its weights are too large"):
            query.embed(tiny)


def test_a_term_that_no_file_can_be_called_is_refused() -> None:
    for name in ("a" * 500 + ".jpg", "a\0.jpg"):
        with pytest.raises(InputError, match="is not a file"):
            Query.parse(name)
