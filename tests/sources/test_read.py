"""Rows of every reader: their keys and errors are written down, and have no passwords and signatures of sources."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from numpyclip.sources import lines, parquet, webdataset
from numpyclip.sources.part import Kind, Part, Reader, ReadOptions, Row
from numpyclip.sources.read import read_part
from tests import shard_files
from tests.object_store import ObjectStore

HOST = "https://me:secret@x.org/in/"
MODULES = {"webdataset": webdataset, "parquet": parquet, "lines": lines}


def rows_of(patch: pytest.MonkeyPatch, reader: Reader, content: bytes, kind: Kind = "images") -> list[Row]:
    """Read a shard of this content at a signed URL."""
    patch.setattr(MODULES[reader], "open_stream", lambda *_, **__: io.BytesIO(content))
    return list(read_part(Part(0, reader, f"{HOST}a?X-Amz-Signature=secret"), ReadOptions(kind)))


def archive() -> bytes:
    files = {"1.txt": b"no image", "2.jpg": bytes(1 << 16)}
    return shard_files.tar(files)[:10_000]


def table() -> bytes:
    content = shard_files.parquet({"image": [None, b"a" * 5000]}, group=1, compression="none")
    at = content.index(b"a" * 5000)
    return content[: at - 20] + bytes(20) + content[at:]


@pytest.mark.parametrize(
    ("reader", "kind", "errors"),
    [
        ("webdataset", "images", ["/1: has no image, only txt.", ": damaged after '2'"]),
        ("webdataset", "texts", [None, ": damaged after '2'"]),
        ("parquet", "images", ["/0: has no image.", ": rows 1 to 1 are damaged"]),
        ("lines", "texts", [": the line at byte 0 is not UTF-8", None]),
    ],
)
def test_errors_of_signed_shards_do_not_name_the_signature(
    monkeypatch: pytest.MonkeyPatch, reader: Reader, kind: Kind, errors: list[str | None]
) -> None:
    content = b"\xff\nb" if reader == "lines" else table() if reader == "parquet" else archive()
    rows = rows_of(monkeypatch, reader, content, kind)
    assert all(row.key.startswith("https://x.org/in/a") for row in rows)
    for row, error in zip(rows, errors, strict=True):
        assert (row.error or "").startswith(f"https://x.org/in/a{error}" if error else "")
        assert "secret" not in f"{row.key} {row.error}"


@pytest.mark.parametrize("reader", ["files", "lines", "parquet"])
def test_images_are_named_without_the_password_by_which_they_are_reached(
    store: ObjectStore, monkeypatch: pytest.MonkeyPatch, reader: Reader, tmp_path: Path
) -> None:
    urls = ["memory://me:secret@host/a.jpg", "memory://me:secret@host/none.jpg"]
    store.put(urls[0], b"A")
    part = Part(0, reader, str(tmp_path / "in"), paths=tuple(urls))
    if reader == "lines":
        (tmp_path / "in").write_text("\n".join(urls))
    elif reader == "parquet":
        (tmp_path / "in").write_bytes(shard_files.parquet({"url": urls}))
    monkeypatch.setattr("numpyclip.sources.fetch._SCHEMES", ("memory",))
    found, missing = read_part(part, ReadOptions("images"))
    assert (found.key, found.content) == ("memory://me@host/a.jpg", b"A")
    assert missing.key == "memory://me@host/none.jpg"
    assert missing.error == "memory://me@host/none.jpg: cannot be read (there is no such file)."
