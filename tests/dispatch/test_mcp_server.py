"""The tools as an assistant has them: by the client of the package mcp, over the stdin and stdout of a process."""

import base64
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.index.index import Index
from numpyclip.loader import load

pytest.importorskip("mcp_types", reason="the extra numpyclip[mcp] is not installed")

from anyio.from_thread import start_blocking_portal
from mcp import Client, StdioServerParameters, stdio_client

Call = Callable[..., Any]


@contextmanager
def running(place: str, cache: Path, log: Path) -> Iterator[tuple[Any, Any]]:
    """Run `numpyclip mcp`, and give a client and what calls its methods."""
    parameters = StdioServerParameters(
        command=sys.executable,
        args=["-m", "numpyclip", "mcp", "--store", place],
        env={"NUMPYCLIP_CACHE": str(cache), "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    with log.open("w") as file, start_blocking_portal() as portal:
        client = Client(stdio_client(parameters, errlog=file), read_timeout_seconds=300)
        with portal.wrap_async_context_manager(client):
            yield client, portal


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("log") / "stderr"


@pytest.fixture(scope="module")
def server(place: str, cache_of_the_session: Path, log: Path) -> Iterator[tuple[Any, Any]]:
    with running(place, cache_of_the_session, log) as server:
        yield server


@pytest.fixture(scope="module")
def call(server: tuple[Any, Any]) -> Call:
    client, portal = server
    return lambda name, **arguments: portal.call(client.call_tool, name, arguments)


def values(result: Any) -> Any:
    assert not result.is_error, result
    return json.loads(result.content[0].text)


def names(result: Any) -> list[str]:
    return [Path(match["path"]).name for match in values(result)["matches"]]


def images(result: Any) -> list[Image.Image]:
    found = [each for each in result.content if each.type == "image"]
    assert {each.mime_type for each in found} <= {"image/jpeg"}
    return [Image.open(BytesIO(base64.b64decode(each.data))) for each in found]


def test_what_an_assistant_is_told(server: tuple[Any, Any]) -> None:
    client, portal = server
    tools = {tool.name: tool for tool in portal.call(client.list_tools).tools}
    assert set(tools) == {"search", "similar", "describe"}
    assert all(tool.annotations.read_only_hint for tool in tools.values())
    assert tools["search"].input_schema["properties"].keys() > {"query", "not", "n", "folder", "around"}
    assert client.server_info.name == "numpyclip"
    assert "Nothing can be changed" in client.instructions


def test_a_search_returns_paths_and_small_images_without_metadata(call: Call, drawings: Path) -> None:
    result = call("search", query="a house", n=2)
    assert names(result)[0] == "house.jpg"
    assert values(result)["matches"][0]["date"] == "2020-05-01T12:00:00"
    house, _ = images(result)
    assert (house.format, max(house.size)) == ("JPEG", 64)
    assert not {"exif", "comment", "icc_profile"} & house.info.keys()
    assert [each.type for each in result.content] == ["text", "text", "image", "text", "image"]
    assert not images(call("search", query="a house", thumbnails=False))
    there = call("search", query="a house", folder=str(drawings / "sub"))
    assert values(there)["matches"][0]["path"].endswith(r"na\xffme.png")
    assert len(images(there)) == 1
    assert "bird.jpg" not in names(call("search", **{"query": "an animal", "not": ["a bird"], "n": 1}))
    assert not names(call("search", query="a house", within=[47.3, 8.4, 47.5, 8.7], favourite=True))
    newest = call("search", n=50, before="2021")
    assert sorted(names(newest)) == ["bird.jpg", "camera.jpg", "house.jpg"]
    assert "cosine" not in values(newest)["matches"][0]
    nothing = call("search", query="a house", before="1999")
    assert (values(nothing)["matches"], "No image passes" in values(nothing)["note"]) == ([], True)
    assert "chance" in values(call("search", query="qwxz grmbl fjord"))["note"]


def test_similar_images_are_found_by_id_and_by_path(call: Call, drawings: Path) -> None:
    bird = str(drawings / "bird.jpg")
    by_path = call("similar", path=bird, n=50)
    assert sorted(names(by_path)) == ["camera.jpg", "house.jpg", r"na\xffme.png"]
    number = values(call("describe", path=bird))["id"]
    assert names(call("similar", id=number, n=50)) == names(by_path)


def test_images_and_the_index_are_described(call: Call, drawings: Path) -> None:
    result = call("describe", path=str(drawings / "bird.jpg"))
    assert values(result)["width"] == 64
    assert isinstance(values(result)["tags"], dict)
    assert len(images(result)) == 1
    index = values(call("describe"))
    assert (index["pictures"], index["model"], index["folders"]) == (4, "tiny", [str(drawings)])
    assert [index[kind] for kind in ("cameras", "lenses", "tags", "albums")] == [{}, {}, {}, {}]


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("delete", {}, "tool 'delete' is unknown; expected one of search, similar, describe"),
        ("search", {"not": "a"}, "the query is empty"),
        ("search", {"query": ["a"]}, "expected a string"),
        ("search", {"query": "a", "limit": 3}, "'limit' is unknown; expected query, not, n, folder"),
        ("search", {"query": "a", "image": "/etc/passwd"}, "'image' is unknown"),
        ("search", {"query": "a", "n": 0}, "expected an integer above 0"),
        ("search", {"query": "a", "thumbnails": 1}, "expected true or false"),
        ("search", {"query": "a", "folder": "\0"}, "no path can be"),
        ("search", {"query": "a", "after": "last week"}, "is no date"),
        ("search", {"query": "a", "rating": 6}, "expected an integer from 1 to 5"),
        ("search", {"query": "a", "within": [1, 2]}, "within is [1, 2]; expected SOUTH,WEST,NORTH,EAST"),
        ("search", {"query": "a", "around": [1, 2, -3]}, "expected latitude and longitude"),
        ("search", {"query": "a", "around": [[], 2, 3]}, "expected LATITUDE,LONGITUDE,KILOMETRES"),
        ("search", {"query": "a - "}, "a term is missing"),
        ("search", {"query": "x" * 200_000}, "expected at most 122880"),
        ("similar", {}, "expected either the id or the path"),
        ("similar", {"id": 1, "path": "a"}, "expected either the id or the path"),
        ("similar", {"id": "1; DROP TABLE files"}, "expected the ID of an image"),
        ("similar", {"id": 10**17}, "there is no image"),
        ("similar", {"path": "/etc/passwd"}, "/etc/passwd: is not in the index; expected"),
        ("similar", {"path": "https://example.org/a.jpg"}, "is not in the index"),
        ("describe", {"path": "../../etc/passwd"}, "is not in the index"),
        ("describe", {"path": "\0"}, "is not in the index"),
    ],
)
def test_errors_say_what_to_do(call: Call, name: str, arguments: dict[str, Any], message: str) -> None:
    result = call(name, **arguments)
    assert result.is_error
    assert message in result.content[0].text
    assert "Traceback" not in result.content[0].text


def test_requests_at_once_and_for_more_than_there_is(server: tuple[Any, Any]) -> None:
    client, portal = server
    asked = [{"query": query, "n": 10**9} for query in ("a house", "a bird", "a camera")]
    futures = [portal.start_task_soon(client.call_tool, "search", each) for each in asked]
    assert [names(future.result())[0] for future in futures] == ["house.jpg", "bird.jpg", "camera.jpg"]


def test_a_query_that_names_a_file_is_words(call: Call, drawings: Path) -> None:
    result = call("search", query=str(drawings / "bird.jpg"), n=1)
    assert "probability" in values(result)["matches"][0]  # of a single text


def test_an_index_that_is_missing_then_made_and_removed(
    tmp_path: Path, cache_of_the_session: Path, drawings: Path, tiny: CLIP
) -> None:
    place, log = tmp_path / "store", tmp_path / "log"
    with running(str(place), cache_of_the_session, log) as (client, portal):

        def search() -> Any:
            return portal.call(client.call_tool, "search", {"query": "a house", "n": 50})

        missing = search()
        assert missing.is_error
        assert "holds no index; make one with `numpyclip index FOLDER" in missing.content[0].text
        with Index(place, tiny, create=True) as index:
            with index.adding():
                index.begin()
                index.store.remember_model(tiny.fingerprint, '{"model": "tiny"}')
            assert values(search())["matches"] == []
            with index.store.writing():  # as an update does all along
                assert values(search())["matches"] == []
            index.update([drawings / "sub"])
            assert len(names(search())) == 1
            index.update([drawings])
            assert len(names(search())) == 4
        (drawings / "house.jpg").rename(tmp_path / "house.jpg")
        try:
            result = search()
        finally:
            (tmp_path / "house.jpg").rename(drawings / "house.jpg")
        assert (len(names(result)), len(images(result))) == (4, 3)
        assert any("no thumbnail: " in getattr(each, "text", "") for each in result.content)
        shutil.rmtree(place)
        assert "holds no index" in search().content[0].text
        with pytest.warns(UserWarning, match="truncate"):  # tiny was not trained for it
            shorter, _ = load("tiny", truncate_dim=64)
        with Index(place, shorter, create=True) as index:  # rebuilt, of another model
            index.update([drawings])
            with index.store.writing():
                index.store.remember_model(shorter.fingerprint, '{"model": "tiny", "truncate_dim": "64"}')
        assert names(search())[0] == "house.jpg"
        assert values(portal.call(client.call_tool, "describe", {}))["dimensions"] == 64
    assert "Traceback" not in log.read_text()
