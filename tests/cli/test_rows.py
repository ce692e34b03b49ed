"""Shards, lists, globs and URLs as sources of outputs of one file, and stdout."""

import io
import json
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest

from numpyclip.destinations.parquet_parts import FINGERPRINT
from numpyclip.dual_encoder.clip import CLIP
from numpyclip.file_systems import OutageError
from tests.cli.conftest import Run
from tests.object_store import ObjectStore


def printed(out: str, key: str) -> list[str]:
    return [json.loads(line)[key] for line in out.splitlines()]


@pytest.fixture
def archive(album: Path, tmp_path: Path) -> Path:
    """An archive of a picture, with a caption, and a damaged one."""
    (tmp_path / "caption").write_text("a bird")
    with tarfile.open(tmp_path / "0.tar", "w") as tar:
        tar.add(album / "bird.png", "000.png")
        tar.add(tmp_path / "caption", "000.txt")
        tar.add(album / "broken.jpg", "001.jpg")
    return tmp_path / "0.tar"


def test_archives_and_globs_stand_between_files_and_folders(run: Run, archive: Path, album: Path) -> None:
    (album / "broken.jpg").unlink()
    status, out, err = run("embed", "images", album / "house.PNG", archive, f"{album}/sub/*", album, "-m", "tiny")
    assert status == 3
    assert "001: cannot be read" in err
    house, camera = str(album / "house.PNG"), str(album / "sub" / "camera.webp")
    assert printed(out, "path") == [house, f"{archive}/000", camera, str(album / "bird.png"), house, camera]


def test_a_folder_of_archives_stands_for_them(run: Run, archive: Path, tmp_path: Path) -> None:
    (tmp_path / "shards").mkdir()
    moved = archive.rename(tmp_path / "shards" / "0.tar")
    assert printed(run("embed", "images", tmp_path / "shards", "-m", "tiny").out, "path") == [f"{moved}/000"]


def test_lists_of_paths_come_as_files_too(run: Run, album: Path, tmp_path: Path, tiny: CLIP) -> None:
    (tmp_path / "list.txt").write_text(f"{album / 'bird.png'}\nalbum/house.PNG\n")
    assert run("embed", "images", tmp_path / "list.txt", "-o", tmp_path / "out.npy", "-m", "tiny").status == 0
    expected = tiny.embed_images([album / "bird.png", album / "house.PNG"], draft=True)
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), expected, atol=1e-6)


def test_files_of_texts_stand_between_texts(run: Run, archive: Path, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("a cat\na cow\n")
    status, out, err = run("embed", "texts", "a dog", tmp_path / "list.txt", archive, "none.txt", "-m", "tiny")
    assert (status, err.count("\n")) == (3, 1)  # for 001, which has no text
    assert printed(out, "text") == ["a dog", "a cat", "a cow", "a bird", "none.txt"]


def test_what_is_not_there_is_named_and_the_rest_is_done(run: Run, album: Path) -> None:
    words = [f"{album}/*.gif", album / "bird.png", album / "no.tar"]
    status, out, err = run("embed", "images", *words, "-m", "tiny")
    assert status == 3
    assert printed(out, "path") == [str(album / "bird.png")]
    assert "*.gif: no file fits this pattern" in err
    assert "no.tar: cannot be read" in err


def test_a_shard_that_cannot_be_opened_does_not_lose_the_others_of_its_source(
    run: Run, archive: Path, album: Path, tmp_path: Path
) -> None:
    pytest.importorskip("pyarrow", reason="the extra numpyclip[parquet] is not installed")
    archive.rename(tmp_path / "2.tar")
    assert run("embed", "images", album / "house.PNG", "-o", tmp_path / "2.parquet", "-m", "tiny").status == 0
    (tmp_path / "1.parquet").write_bytes(b"PAR1 no more")
    status, out, err = run("embed", "images", tmp_path / "{0..2}.tar", tmp_path / "{0..2}.parquet", "-m", "tiny")
    assert (status, printed(out, "path")[:1]) == (3, [f"{tmp_path}/2.tar/000"])
    assert all(f"{name}: " in err for name in ("0.tar", "1.tar", "0.parquet", "1.parquet", "2.parquet"))


def test_one_file_has_the_rows_of_parts(run: Run, archive: Path, album: Path, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="the extra numpyclip[parquet] is not installed")
    (tmp_path / "list").write_text(f"{album}\n{album / 'house.PNG'}\n{album}/none.png\n")
    words = ["embed", "images", "-", archive, "--from", tmp_path / "list", "-m", "tiny", "-o"]
    outputs = f"{tmp_path}/parts/", tmp_path / "one.parquet"
    assert [run(*words, output, stdin=bytes(album) + b"\n").status for output in outputs] == [3, 3]
    parts = [parquet.read_table(part) for part in sorted((tmp_path / "parts").glob("*.parquet"))]
    one = parquet.read_table(outputs[1])
    assert one.num_rows == 9
    for name in ("key", "error"):
        assert one[name].to_pylist() == [value for part in parts for value in part[name].to_pylist()]


def test_what_is_piped_in_is_embedded_before_more_of_it_comes(
    run: Run, album: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [str(album / name) for name in ("bird.png", "house.PNG", "none.png", "bird.png")]
    printed: list[str] = []
    before: list[int] = []  # how many were printed when the next one was asked for

    def piped(file: str) -> Iterator[str]:
        for path in paths:
            yield path
            before.append(len(printed))

    monkeypatch.setattr("numpyclip.cli.rows.paths_in", piped)
    monkeypatch.setattr("numpyclip.cli.embed.print_json", lambda record: printed.append(record["path"]))
    assert run("embed", "images", "-", "--batch-size", 1, "-m", "tiny").status == 3
    assert before == [1, 2, 2, 3]


def test_an_image_that_has_gone_since_it_was_listed_is_a_row(run: Run, album: Path, tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="the extra numpyclip[parquet] is not installed")
    bird, gone, output = album / "bird.png", album / "gone.png", tmp_path / "out.parquet"
    stdin = f"{bird}\n{gone}\n{bird}\n".encode()
    assert run("embed", "images", "-", "-o", output, "-m", "tiny", stdin=stdin).status == 3
    table = parquet.read_table(output)
    assert table["key"].to_pylist() == [str(bird), str(gone), str(bird)]
    assert [error and "No such file" in error for error in table["error"].to_pylist()] == [None, True, None]
    result = run("embed", "images", gone, bird, "-o", output, "-m", "tiny")
    assert f"{gone}: cannot be read" in result.err
    assert parquet.read_table(output)["key"].to_pylist() == [str(gone), str(bird)]


def test_an_image_that_cannot_be_reached_does_not_lose_the_others(
    run: Run, bird: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="the extra numpyclip[parquet] is not installed")

    def out(*_: object, **__: object) -> NoReturn:
        raise OutageError("memory://photos/a.png: cannot be read (the connection was reset).")

    monkeypatch.setattr("numpyclip.sources.fetch.open_stream", out)
    output = tmp_path / "out.parquet"
    assert run("embed", "images", "memory://photos/a.png", bird, "-o", output, "-m", "tiny").status == 3
    assert parquet.read_table(output)["key"].to_pylist() == ["memory://photos/a.png", str(bird)]


def test_passwords_of_urls_are_not_printed(run: Run, bird: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ObjectStore(monkeypatch).put("memory://me:secret@photos/a.png", bird.read_bytes())
    urls = ["memory://me:secret@photos/a.png", "memory://me:secret@photos/none.png"]
    status, out, err = run("embed", "images", *urls, "-m", "tiny")
    assert (status, printed(out, "path")) == (3, ["memory://me@photos/a.png"])
    assert "memory://me@photos/none.png: cannot be read" in err
    assert "secret" not in out + err


def test_folders_and_stores_of_texts_are_read(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "captions").mkdir()
    (tmp_path / "captions" / "a.txt").write_text("a dog\n")
    ObjectStore(monkeypatch).put("memory://captions/b.txt", b"a cat\n")
    out = run("embed", "texts", "captions/", "captions", "memory://captions/", "-m", "tiny").out
    assert printed(out, "text") == ["a dog", "captions", "a cat"]


def test_lines_that_are_no_texts_are_named(run: Run, tmp_path: Path) -> None:
    (tmp_path / "list").write_bytes(b"a dog\n\xff\na cat\n")
    for words, stdin in ((["--from", tmp_path / "list"], b""), (["-"], (tmp_path / "list").read_bytes())):
        status, out, err = run("embed", "texts", *words, "-m", "tiny", stdin=stdin)
        assert (status, printed(out, "text")) == (3, ["a dog", "a cat"])
        assert "the line at byte 6 is not UTF-8" in err


def test_urls_are_fetched_some_at_a_time(run: Run, bird: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, together = ObjectStore(monkeypatch), threading.Barrier(4)
    content, urls = bird.read_bytes(), [f"memory://photos/{number}.png" for number in range(4)]
    for url in urls:
        store.put(url, content)

    def waiting(*_: object, **__: object) -> io.BytesIO:
        together.wait(timeout=60)
        return io.BytesIO(content)

    monkeypatch.setattr("numpyclip.sources.fetch.open_stream", waiting)
    status, out, _ = run("embed", "images", "-", "-m", "tiny", stdin="\n".join(urls).encode())
    assert (status, printed(out, "path")) == (0, urls)


def test_a_parquet_file_may_be_written_to_a_url(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pyarrow", reason="the extra numpyclip[parquet] is not installed")
    store = ObjectStore(monkeypatch)
    assert run("embed", "texts", "a dog", "-o", "memory://bucket/out.parquet", "-m", "tiny").status == 0
    assert store.get("memory://bucket/out.parquet").startswith(b"PAR1")
    out = run("embed", "texts", "memory://bucket/out.parquet", "--column", "caption", "-m", "tiny").out
    assert printed(out, "text") == ["a dog"]


@pytest.mark.parametrize("kind", ["images", "texts"])
def test_a_limit_is_one_of_inputs_of_all_sources(run: Run, kind: str, album: Path, archive: Path) -> None:
    words = [album / "bird.png", archive] if kind == "images" else ["a dog", archive]
    status, out, _ = run("embed", kind, *words, "--limit", 2, "-m", "tiny")
    assert (status, out.count("\n")) == (0, 2)


def test_parquet_has_a_row_for_every_input_and_the_columns_of_its_source(
    run: Run, archive: Path, album: Path, tmp_path: Path, tiny: CLIP
) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="the extra numpyclip[parquet] is not installed")
    output = tmp_path / "out.parquet"
    status, _, err = run("embed", "images", archive, album / "bird.png", "-o", output, "-m", "tiny")
    assert (status, err.splitlines()[-1]) == (3, f"numpyclip: {output}: 2 images")
    table = parquet.read_table(output)
    assert table["key"].to_pylist() == [f"{archive}/000", f"{archive}/001", str(album / "bird.png")]
    assert table["caption"].to_pylist() == ["a bird", None, None]
    assert [error is None for error in table["error"].to_pylist()] == [True, False, True]
    np.testing.assert_allclose(table["embedding"][0].as_py(), tiny.embed_images(album / "bird.png")[0], atol=1e-6)
    assert table.schema.metadata[FINGERPRINT.encode()].decode() == tiny.fingerprint.to_json()
    words = ["embed", "texts", "a dog", "dog " * 100, "-o", output, "-m", "tiny", "--dtype", "float16"]
    result = run(*words, "--carry", "caption")
    assert result.status == 3
    assert "expected at most 77 tokens" in result.err
    assert "float" in str(parquet.read_table(output).schema.field("embedding").type)
    assert parquet.read_table(output)["caption"].to_pylist() == ["a dog", "dog " * 100]
    assert run("embed", "texts", output, "--column", "caption", "-m", "tiny", "--truncate").status == 0
    assert run("embed", "images", tmp_path / "no.png", "-o", output, "-m", "tiny").status == 2
