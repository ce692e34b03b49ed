import json
from pathlib import Path

import pytest

from numpyclip.cli import ask as module
from tests.cli.conftest import Run

CHOICE = "is it a bird, a house or a camera?"


def test_one_picture_prints_its_answers_best_first(run: Run, bird: Path) -> None:
    status, out, err = run("ask", bird, CHOICE, "-m", "tiny")
    assert (status, err) == (0, "")
    rows = [line.split("\t") for line in out.splitlines()]
    assert rows[0][1:] == ["a bird", "a bird"]
    probabilities = [float(row[0]) for row in rows]
    assert probabilities == sorted(probabilities, reverse=True)
    assert sum(probabilities) == pytest.approx(1, abs=3e-4)


def test_answers_may_follow_the_question_or_come_from_a_file(run: Run, bird: Path, tmp_path: Path) -> None:
    question = "what is on the table?"
    given = run("ask", bird, question, "house", "bird", "-m", "tiny")
    assert {tuple(line.split("\t")[1:]) for line in given.out.splitlines()} == {
        ("bird", "bird"),
        ("house", "house"),
    }
    (tmp_path / "answers.txt").write_bytes("\ufeffhouse\r\n\nbird\n".encode())
    assert run("ask", bird, question, "--labels", tmp_path / "answers.txt", "-m", "tiny") == given
    assert run("ask", bird, question, "--labels", "-", "-m", "tiny", stdin=b"house\nbird\n") == given


def test_a_folder_prints_paths_skips_what_it_cannot_read_and_says_so(run: Run, album: Path) -> None:
    status, out, err = run("ask", album, CHOICE, "-m", "tiny", "-n", "1")
    assert status == 3
    assert {row[0]: row[2] for row in (line.split("\t") for line in out.splitlines())} == {
        str(album / "bird.png"): "a bird",
        str(album / "house.PNG"): "a house",
        str(album / "sub" / "camera.webp"): "a camera",
    }
    assert err.startswith(f"numpyclip: {album / 'broken.jpg'}: cannot be read as an image")


def test_json_has_an_object_for_every_picture(run: Run, album: Path) -> None:
    paths = f"{album}/house.PNG\n{album}/bird.png\n".encode()
    status, out, err = run("ask", "-", "is there a house?", "-m", "tiny", "--json", stdin=paths)
    assert (status, err) == (0, "")
    house, bird = (json.loads(line) for line in out.splitlines())
    assert (house["path"], house["question"], house["kind"]) == (f"{album}/house.PNG", "is there a house?", "yes/no")
    assert [set(answer) for answer in house["answers"]] == [{"answer", "probability", "statement"}] * 2
    yes = [{a["answer"]: a["probability"] for a in found["answers"]}["yes"] for found in (house, bird)]
    assert yes[0] > yes[1]


def test_five_answers_are_printed_if_nothing_is_said(run: Run, bird: Path) -> None:
    assert run("ask", bird, "what is this?", "-m", "tiny").out.count("\n") == 5
    assert run("ask", bird, "what colour is it?", "-m", "tiny", "-n", "20").out.count("\n") == 11


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "nothing to ask about"),
        (["PICTURE"], "no question: put one after the image"),
        (["PICTURE", ""], "the question is empty"),
        (["PICTURE", "?"], "the question is empty"),
        (["PICTURE", "PICTURE", "is there a dog?"], "is a file. To ask about several images"),
        (["PICTURE", "why is it so?"], "has no form that is understood"),
        (["PICTURE", "is there a dog?", "dog"], "two or more different strings"),
        (["PICTURE", "is there a dog?", "a", "b", "--labels", "x"], "not from both"),
        (["PICTURE", "is there a dog?", "--labels", "nowhere.txt"], "nowhere.txt: cannot be read"),
        (["-", "is there a dog?", "--labels", "-"], "cannot both come from standard input"),
        (["PICTURE", "is there a dog?", "-n", "0"], "is no positive integer"),
    ],
)
def test_wrong_arguments_are_named_before_a_model_is_loaded(
    run: Run, bird: Path, words: list[str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unexpected(_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(module, "load_for_embeddings", unexpected)
    result = run("ask", *[bird if word == "PICTURE" else word for word in words])
    assert (result.status, result.out) == (2, "")
    assert message in result.err


def test_a_file_of_answers_that_is_empty_is_no_wish_for_others(run: Run, bird: Path, tmp_path: Path) -> None:
    (tmp_path / "none.txt").write_text("")
    result = run("ask", bird, "what is this?", "--labels", tmp_path / "none.txt", "-m", "tiny")
    assert (result.status, result.out) == (2, "")


def test_a_picture_that_is_missing_is_reported(run: Run, tmp_path: Path) -> None:
    result = run("ask", tmp_path / "no.png", "is there a dog?", "-m", "tiny")
    assert (result.status, result.out) == (2, "")
    assert "no.png: cannot be read" in result.err


def test_the_help_says_what_to_expect(run: Run) -> None:
    out = run("ask", "--help").out
    assert "not answered:" in out
    assert "numpyclip ask docs/pictures/house.png" in out
