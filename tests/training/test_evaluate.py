"""The questions that `training/evaluate.py` asks show what their first text says."""

import numpy as np

from numpyclip.dual_encoder.clip import CLIP


def test_drawings_lie_on_white() -> None:
    from evaluate import on_white  # type: ignore[import-not-found]

    tiles = np.zeros((1, 64, 64, 4), np.uint8)
    tiles[0, :32] = (200, 100, 0, 255)
    tiles[0, 40] = (0, 0, 0, 51)  # a fifth
    pictures = on_white(tiles)
    assert pictures[0, 0, 0].tolist() == [200, 100, 0]
    assert pictures[0, 40, 0].tolist() == [204, 204, 204]
    assert (pictures[0, 41:] == 255).all()


def test_the_first_text_of_a_question_is_true() -> None:
    from evaluate import scenes
    from splits import Test  # type: ignore[import-not-found]

    colours = {"dog": 10, "cat": 60, "fish": 110}
    tiles = np.stack([np.full((64, 64, 4), value, np.uint8) for value in colours.values()])
    tiles[..., 3] = 255
    asked = dict(scenes(Test(tiles, list(colours))))
    for title, words, axis in (
        ("which of two is on the left", " to the left of ", 1),
        ("which of two is above", " above ", 0),
    ):
        for picture, (true, false) in asked[title]:
            first, second = true.split(words)
            assert false == f"{second}{words}{first}"
            place = [np.argwhere(picture[..., 0] == colours[name])[:, axis].mean() for name in (first, second)]
            assert place[0] < place[1]
    for picture, texts in asked["how many, one to four"]:
        noun = texts[0].split()[1].removesuffix("s").removesuffix("e")
        count = ("a", "two", "three", "four").index(texts[0].split()[0]) + 1
        assert (picture[..., 0] == colours[noun]).sum() == count * 32 * 32
        assert len(set(texts)) == 4


def test_what_fits_best_is_counted(tiny: CLIP) -> None:
    from evaluate import share_right

    red, blue = np.full((64, 64, 3), (220, 20, 20), np.uint8), np.full((64, 64, 3), (20, 20, 220), np.uint8)
    right = share_right(tiny, [(red, ["red square", "blue square"]), (blue, ["blue square", "red square"])])
    wrong = share_right(tiny, [(red, ["blue square", "red square"]), (blue, ["red square", "blue square"])])
    assert right + wrong == 1
