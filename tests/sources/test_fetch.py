"""Images that are only named: what is fetched, how often it is tried, and what is not opened."""

from __future__ import annotations

import sys
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from numpyclip.errors import InputError, MissingPackageError
from numpyclip.file_systems import CredentialsError
from numpyclip.sources import fetch
from numpyclip.sources.fetch import fetched, located
from numpyclip.sources.part import Part, ReadOptions, Row
from numpyclip.sources.read import read_part
from tests.http_server import running
from tests.object_store import ObjectStore


def read(source: str | None, *places: str) -> list[Row]:
    return list(fetched((Row(place, place, {}) for place in places), source))


def test_paths_are_left_to_others_and_urls_are_contents(store: ObjectStore) -> None:
    url = store.put("memory://b/a.jpg", b"A")
    rows = [Row("x", None, {}, "damaged"), Row("y", b"Y", {}), Row("z", "z.jpg", {}), Row(url, url, {"n": 1})]
    *others, last = fetched(rows)
    assert others == rows[:3]
    assert (last.key, last.content, last.columns, last.error) == (url, b"A", {"n": 1}, None)


@pytest.mark.parametrize("source", ["memory://b/list.txt", None])
def test_an_outage_of_the_own_store_is_no_row(source: str | None, store: ObjectStore) -> None:
    """A row with an error is never tried again."""
    url = store.put("memory://b/a.jpg", b"A")
    store.breaks = [0] * 4
    assert [row.content for row in read(source, url)] == [b"A"]
    store.breaks = [0] * 5
    with pytest.raises(InputError, match=r"memory://b/a.jpg: cannot be read \(the connection was reset\)"):
        read(source, url)
    assert store.pauses == [0.5, 1, 2, 4] * 2
    (row,) = read(source, "memory://b/none.jpg")
    assert row.error == "memory://b/none.jpg: cannot be read (there is no such file)."


def test_an_outage_of_another_store_is_a_row_after_five_tries(store: ObjectStore) -> None:
    url = store.put("memory://c/a.jpg", b"A")
    store.breaks = [0] * 5
    (row,) = read("memory://b/list.txt", url)
    assert "the connection was reset" in str(row.error)
    assert store.pauses == [0.5, 1, 2, 4]


class NoCredentialsError(Exception):
    """As botocore's."""


def test_missing_credentials_for_the_own_store_are_no_row(store: ObjectStore) -> None:
    url = store.put("memory://b/a.jpg", b"A")
    store.refusals = [NoCredentialsError("none")] * 2
    with pytest.raises(CredentialsError, match=r"memory://b/a.jpg: cannot be read \(none\)"):
        read("memory://b/list.txt", url)
    (row,) = read("memory://c/list.txt", url)
    assert "cannot be read (none)" in str(row.error)


class _Server(BaseHTTPRequestHandler):
    """Is busy."""

    def do_GET(self) -> None:
        self.send_response(503)
        self.end_headers()

    do_HEAD = do_GET

    def log_message(self, format: str, *args: object) -> None:
        pass


def test_links_of_lists_are_tried_twice_and_the_users_own_five_times(store: ObjectStore) -> None:
    pytest.importorskip("aiohttp", reason="http:// URLs need aiohttp")
    with running(_Server) as url:
        (row,) = read("memory://b/list.txt", f"{url}/a.jpg?id=3".replace("://", "://me:secret@"))
        assert f"{url}/a.jpg?id=3: cannot be read (503" in str(row.error)
        assert store.pauses == [0.5]
        for source in (None, f"{url}/list.txt"):
            store.pauses.clear()
            with pytest.raises(InputError, match="cannot be read"):
                read(source, f"{url}/a.jpg")
            assert store.pauses == [0.5, 1, 2, 4]


def test_a_list_that_needs_one_more_package_costs_one_row(store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ossfs", None)
    good = store.put("memory://b/a.jpg", b"A")
    rows = read("memory://b/list.txt", good, "oss://a/b.jpg", good)
    assert [row.content for row in rows] == [b"A", None, b"A"]
    assert "oss://a/b.jpg: needs a package that is not installed" in str(rows[1].error)
    for source in ("oss://a/list.txt", None):  # the part would be one of errors
        with pytest.raises(MissingPackageError, match=r"oss://a/b\.jpg"):
            read(source, "oss://a/b.jpg")


def test_a_list_of_links_without_the_package_for_the_web_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("fsspec", reason="URLs need fsspec")
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    with pytest.raises(MissingPackageError, match="aiohttp"):
        read("list.txt", "https://x.org/a.jpg")


def test_sources_that_the_user_names_may_be_of_any_kind(tmp_path: Path, store: ObjectStore) -> None:
    (tmp_path / "a.jpg").write_bytes(b"A")
    store.put("memory://b/b.jpg", b"B")
    paths = ("a.jpg", f"file://{tmp_path}/a.jpg", "memory://b/b.jpg")
    rows = list(read_part(Part(0, "files", "a.jpg", paths=paths), ReadOptions("images")))
    assert [row.content for row in rows] == ["a.jpg", b"A", b"B"]
    refused = read("memory://b/list.txt", f"file://{tmp_path}/a.jpg", "zip://a.jpg::memory://b/a.zip")
    assert all("is refused in a list; expected a URL of one of http, https, s3" in str(row.error) for row in refused)


def test_large_images_are_fetched_in_their_turn(store: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "LARGE", 10)
    monkeypatch.setattr(fetch, "MOST_BYTES", 30)
    urls = [store.put(f"memory://b/{size}.jpg", b"A" * size) for size in (10, 11, 30, 31)]
    begun = list(fetch.in_order(lambda url: fetch._fetched(Row(url, url, {}), None, 10), urls))
    assert [row.content for row in begun] == [b"A" * 10, *urls[1:]]
    assert [row.content for row in read(None, *urls)] == [b"A" * 10, b"A" * 11, b"A" * 30, None]
    assert read(None, urls[3])[0].error == "memory://b/31.jpg: has more than 30 bytes."


@pytest.mark.parametrize(
    ("name", "source", "place"),
    [
        ("b.jpg", "s3://b/in/list.txt", "s3://b/in/b.jpg"),
        ("/b.jpg", "s3://b/in/list.txt", "s3://b/b.jpg"),
        ("//etc/passwd", "s3://b/in/list.txt", "s3://b/etc/passwd"),
        ("b.jpg", "https://x.org/in/list.txt?signature=a/b", "https://x.org/in/b.jpg"),
        ("s3://c/b.jpg", "https://x.org/list.txt", "s3://c/b.jpg"),
        ("/b.jpg", "in/list.txt", "/b.jpg"),
        ("none.jpg", "in/list.txt", "none.jpg"),
    ],
)
def test_names_are_places_here_or_beside_the_source(name: str, source: str, place: str) -> None:
    assert located(name, source) == place


def test_an_error_ends_what_waits() -> None:
    asked: list[int] = []

    def fail(number: int) -> int:
        asked.append(number)
        raise InputError(str(number))

    with pytest.raises(InputError, match=r"^0$"):
        list(fetch.in_order(fail, range(1000)))
    assert len(asked) < 100
