import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from numpyclip.dispatch import json_lines
from numpyclip.dispatch.json_lines import JSONLines
from numpyclip.dispatch.session import Session
from numpyclip.dual_encoder.clip import CLIP
from numpyclip.index.index import Index

Ask = Callable[..., list[dict[str, Any]]]


@pytest.fixture(autouse=True)
def _word_lists_are_embedded_once(shared_cache: None) -> None: ...


@pytest.fixture
def session(place: str, tiny: CLIP) -> Session:
    return Session(lambda: Index(place, tiny), tiny)


@pytest.fixture
def ask(session: Session) -> Ask:
    """Send requests, or lines as they are; return the answers."""

    def ask(*requests: dict[str, Any] | bytes) -> list[dict[str, Any]]:
        lines = (each if isinstance(each, bytes) else json.dumps(each).encode() for each in requests)
        answers = list(JSONLines(session).answers(io.BytesIO(b"\n".join(lines))))
        assert all(answer.isascii() and "\n" not in answer for answer in answers)
        return [json.loads(answer) for answer in answers]

    return ask


def message(answer: dict[str, Any]) -> str:
    assert answer.keys() == {"id", "error"}, answer
    assert answer["error"].keys() == {"type", "message"}
    return str(answer["error"]["message"])


def test_a_search_finds_what_the_index_finds(ask: Ask, place: str, tiny: CLIP) -> None:
    (answer,) = ask({"id": 1, "command": "search", "query": "a house", "n": 2})
    with Index(place, tiny) as index:
        expected = index.search("a house", 2)
    assert answer["matches"] == [match.to_dict() for match in expected]
    assert (answer["id"], answer["cutoff"], answer["best"]) == (1, expected.cutoff, expected.best)


def test_what_is_searched_for(ask: Ask, drawings: Path) -> None:
    house = {"command": "search", "query": "a house"}
    bird, near, mixed, texts, there, odd, strict, newest = ask(
        {"command": "search", "image": str(drawings / "bird.jpg"), "n": 1},
        {"command": "search", "near": 1, "n": 1},
        {**house, "image": str(drawings / "bird.jpg"), "not": ["a house"]},
        {**house, "in": "texts"},
        {**house, "after": "2020-06-01"},
        {**house, "folder": str(drawings / "sub")},
        {"command": "search", "query": "qwxz grmbl fjord", "strict": True},
        {"command": "search", "before": "2021", "n": 2},
    )
    assert [m["date"] for m in newest["matches"]] == ["2020-05-01T12:00:00"] * 2
    assert "cosine" not in newest["matches"][0]
    assert [Path(m["path"]).name for m in bird["matches"]] == ["bird.jpg"]
    assert near["matches"][0]["id"] == 1
    assert Path(mixed["matches"][0]["path"]).name == "bird.jpg"
    assert texts["matches"][0]["text"] == "a bird"
    assert [m["path"] for m in there["matches"]] == [m["path"] for m in odd["matches"]]
    assert odd["matches"][0]["path"].endswith(r"na\xffme.png")
    assert "path_bytes" in odd["matches"][0]
    assert strict["matches"] == []
    assert (strict["is_match"], strict["best"] < strict["cutoff"]) == (False, True)


def test_embeddings_and_labels(ask: Ask, drawings: Path, tiny: CLIP) -> None:
    bird, none = str(drawings / "bird.jpg"), str(drawings / "none.jpg")
    texts, images, classified = ask(
        {"id": "a", "command": "embed", "text": ["a dog", "a cat"]},
        {"id": "b", "command": "embed", "image": [none, bird]},
        {"id": "c", "command": "classify", "image": [bird, none], "labels": ["bird", "house"], "template": "a {}"},
    )
    np.testing.assert_allclose(texts["embeddings"], tiny.embed_texts(["a dog", "a cat"]), atol=1e-6)
    assert images["embeddings"][0] is None
    np.testing.assert_allclose(images["embeddings"][1], tiny.embed_images(bird)[0], atol=1e-5)
    assert [(each["position"], each["type"]) for each in images["errors"]] == [(0, "PictureError")]
    assert classified["predictions"][0][0]["label"] == "bird"
    assert classified["predictions"][1] is None
    assert "none.jpg: cannot be read" in classified["errors"][0]["message"]


@pytest.mark.parametrize(
    ("request_line", "expected"),
    [
        (b"nonsense", "is not JSON"),
        (b"\xff\xfe", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b'{"id": NaN}', "NaN is no JSON"),
        (b'{"id": ' + b"9" * 5000 + b"}", "is not JSON"),
        (b"[]", "expected a JSON object"),
        ({}, "command is ''; expected one of search, embed, classify, describe"),
        ({"command": "delete"}, "command is 'delete'"),
        ({"command": ["search"]}, "expected a string"),
        ({"command": "search", "not": ["a"]}, "the query is empty"),
        ({"command": "search", "query": "a", "limit": 3}, "'limit' is unknown; expected query, not, n, folder"),
        ({"command": "search", "query": "a", "n": -1}, "expected an integer above 0"),
        ({"command": "search", "query": "a", "n": True}, "expected an integer above 0"),
        ({"command": "search", "query": "a", "after": "yesterday"}, "is no date"),
        ({"command": "search", "query": "a", "folder": "\0"}, "no path can be"),
        ({"command": "search", "near": 99}, "there is no image 99"),
        ({"command": "search", "near": "1; DROP TABLE files"}, "expected IDs of images"),
        ({"command": "search", "query": "a" * 122_881}, "expected at most 122880"),
        ({"command": "search", "image": "none.jpg"}, "none.jpg: cannot be read"),
        ({"command": "embed"}, "expected text or image"),
        ({"command": "embed", "text": "a", "image": "b"}, "expected text or image"),
        ({"command": "embed", "text": ["a"] * 1001}, "1001 inputs; expected 1 to 1000"),
        ({"command": "embed", "image": "\0"}, None),
        ({"command": "classify", "labels": ["a"]}, "0 inputs"),
        ({"command": "classify", "image": "a.jpg"}, "expected a list of one or more strings"),
        ({"command": "classify", "image": "a.jpg", "labels": ["a"], "template": "x"}, "expected a string with {}"),
        ({"command": "describe", "query": "a"}, "'query' is unknown; expected no field"),
        ({"id": 1.5, "command": "describe"}, "id is 1.5"),
        ({"id": [1], "command": "describe"}, "id is [1]"),
        (b'{"id": "\\ud800", "command": "describe"}', "expected a UTF-8 string"),
    ],
)
def test_a_bad_line_is_answered_and_ends_nothing(ask: Ask, request_line: Any, expected: str | None) -> None:
    bad, good = ask(request_line, {"id": "ä 1", "command": "describe"})
    if expected is not None:
        assert expected in message(bad)
    assert (good["id"], good["pictures"]) == ("ä 1", 4)


def test_what_is_no_unicode_is_taken_and_given(ask: Ask, drawings: Path) -> None:
    name = drawings / "sub" / b"na\xffme.png".decode("utf-8", "surrogateescape")
    raw = b'{"command": "embed", "image": "' + str(name).encode("utf-8", "surrogateescape") + b'"}'
    escaped, as_bytes, text = ask(
        {"command": "embed", "image": str(name)}, raw, {"command": "search", "query": "\ud800 \udcff", "n": 1}
    )
    assert escaped["embeddings"] == as_bytes["embeddings"] != [None]
    assert len(text["matches"]) == 1


def test_long_and_empty_lines(ask: Ask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_lines, "MAX_LINE", 100)
    long, marked, exact, last = ask(b"a" * 500_000, b"", b" \r", b"\xef\xbb\xbf{}", b"{}".ljust(99), b"x" * 101)
    assert message(marked) == message(exact)  # PowerShell begins with a mark
    assert "more than 100 bytes" in message(long)
    assert "command is ''" in message(exact)
    assert "more than 100 bytes" in message(last)


def test_a_fault_is_an_answer_and_in_the_log(
    ask: Ask, session: Session, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(session, "describe", lambda: 1 / 0)
    first, second = ask({"id": 1, "command": "describe"}, {"id": 2, "command": "embed", "text": "a"})
    assert "unexpected: ZeroDivisionError" in message(first)
    assert second["id"] == 2
    assert "ZeroDivisionError" in caplog.text


def test_an_index_may_come_and_go(tmp_path: Path, drawings: Path, tiny: CLIP) -> None:
    place = tmp_path / "store"
    session = Session(lambda: Index(place, tiny), tiny)
    answers = JSONLines(session).answers

    def found() -> Any:
        (answer,) = answers(io.BytesIO(b'{"command": "search", "query": "a"}'))
        return json.loads(answer).get("matches", answer)

    assert "holds no index" in found()
    for folder, count in ((drawings / "sub", 1), (drawings, 4)):
        with Index(place, tiny, create=True) as index:
            assert found() == []
            index.update([folder])
        assert len(found()) == count
        shutil.rmtree(place)
        assert "holds no index" in found()


@pytest.mark.parametrize("name", ["query", "tag", "folder", "after", "around", "rating"])
@pytest.mark.parametrize("value", ["", " "])
def test_what_is_left_empty_by_mistake_does_not_find_everything(ask: Ask, name: str, value: str) -> None:
    assert message(*ask({"command": "search", name: value})) == f"{name} is empty; expected a value, or no {name}."


def test_images_are_found_by_the_name_of_a_place(ask: Ask, gazetteer: None) -> None:
    town, country, no_town, two, within, country_within = ask(
        {"command": "search", "place": "Zurich"},
        {"command": "search", "query": "a bird", "place": "Italy, none"},
        {"command": "search", "place": ""},
        {"command": "search", "place": "Zurich", "around": [1, 2, 3]},
        {"command": "search", "place": "Zurich", "within": [45, 5, 48, 11]},
        {"command": "search", "place": "France", "within": [45, 5, 48, 11]},
    )
    assert town["matches"] == []
    assert "no town of 1,000 inhabitants is called so" in message(country)
    assert message(no_town) == "place is empty; expected a value, or no place."
    assert message(two) == "place cannot be combined with around; leave out one."
    assert within["matches"] == []
    assert message(country_within) == "place is a country, and cannot be combined with within; leave out one."


def test_the_names_that_filters_know_are_described_with_counts(ask: Ask, session: Session) -> None:
    store = session.index().store
    (match,) = store.browse(n=1).matches
    digests = list(store.digests([match.id]).values())
    store.mark(digests, "tag", "animals/birds")
    store.mark(digests, "album", "Kent")
    try:
        (answer,) = ask({"command": "describe"})
        assert (answer["tags"], answer["albums"]) == ({"animals/birds": 1}, {"Kent": 1})
        assert (answer["cameras"], answer["lenses"]) == ({}, {})
    finally:
        store.unmark(digests, "tag")
        store.unmark(digests, "album")
