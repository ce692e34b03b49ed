"""Parts are planned once, always the same, and hold every input once."""

from __future__ import annotations

import os
import pickle
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from numpyclip.errors import InputError, PictureError
from numpyclip.sources.part import Part, ReadOptions, Row
from numpyclip.sources.plan import parts_of, plan
from numpyclip.sources.read import read_part
from tests.object_store import ObjectStore
from tests.shard_files import parquet, tar

IMAGES = ReadOptions("images")
TEXTS = ReadOptions("texts")


@pytest.fixture(autouse=True)
def _few_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("numpyclip.sources.plan.ROWS", 4)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def rows(parts: Sequence[Part], options: ReadOptions) -> list[Row]:
    return [row for part in parts for row in read_part(part, options)]


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_a_folder_is_its_images_at_any_depth(here: Path) -> None:
    touch(here / "photos", *(f"{number}.jpg" for number in range(5)), "in/a.png", ".hidden/b.jpg", "notes.txt", "x.tar")
    parts = plan("photos", IMAGES)
    assert [part.number for part in parts] == [0, 1]
    assert [len(part.paths) for part in parts] == [4, 2]
    names = [str(Path("photos", name)) for name in (*(f"{number}.jpg" for number in range(5)), "in/a.png")]
    assert [row.key for row in rows(parts, IMAGES)] == names
    assert [row.content for row in rows(parts, IMAGES)] == names
    assert plan("photos", IMAGES) == parts
    assert pickle.loads(pickle.dumps(parts)) == parts


def test_images_that_are_named_one_by_one_share_parts(here: Path) -> None:
    touch(here, *(f"{number}.jpg" for number in range(6)), "photo.unknown")
    (here / "0.tar").write_bytes(tar({"a.jpg": b"A"}))
    parts = plan(["[0-4].jpg", "0.tar", "photo.unknown", Path("5.jpg")], IMAGES)
    assert [(part.reader, len(part.paths)) for part in parts] == [
        ("files", 4),
        ("files", 1),
        ("webdataset", 0),
        ("files", 2),
    ]
    assert [part.number for part in parts] == [0, 1, 2, 3]


def test_a_part_of_images_has_the_source_of_its_first_one(here: Path) -> None:
    touch(here / "a", *(f"{number}.jpg" for number in range(6)))
    touch(here / "b", *(f"{number}.jpg" for number in range(7)))
    assert [(part.source, len(part.paths)) for part in plan(["a", "b"], IMAGES)] == [
        ("a", 4),
        ("a", 4),
        ("b", 4),
        ("b", 1),
    ]


def test_a_folder_without_images_is_its_archives(here: Path) -> None:
    """img2dataset puts a parquet file and a .json file beside each archive."""
    touch(here / "shards", "10.tar", "2.tar", "1.tar.gz", ".3.tar", "2.parquet", "2_stats.json", "in/5.tar", "a.txt")
    parts = plan("shards", IMAGES)
    assert [Path(part.source).name for part in parts] == ["2.tar", "10.tar", "1.tar.gz"]


def test_a_folder_without_archives_is_its_parquet_files(here: Path) -> None:
    for name in ("train-10.parquet", "train-2.parquet"):
        touch(here / "data", name, "README.md", "in/x.parquet")
        (here / "data" / name).write_bytes(parquet({"image": [b"A"] * 9}, group=3))
    assert [(Path(part.source).name, part.start, part.stop) for part in plan("data", IMAGES)] == [
        ("train-2.parquet", 0, 2),
        ("train-2.parquet", 2, 3),
        ("train-10.parquet", 0, 2),
        ("train-10.parquet", 2, 3),
    ]


def test_lists_are_cut_after_so_many_lines(here: Path) -> None:
    (here / "list.txt").write_bytes(b"".join(b"%d.jpg\n\n" % number for number in range(9)))
    (here / "captions.csv").write_bytes(b"a\nb\n")
    parts = plan("list.txt", IMAGES, ["captions.csv"])
    assert [(part.reader, part.source, part.start, part.stop) for part in parts] == [
        ("lines", "list.txt", 0, 28),
        ("lines", "list.txt", 28, 56),
        ("lines", "list.txt", 56, 62),
        ("lines", "captions.csv", 0, 4),
    ]
    assert [row.key for row in rows(parts[:3], IMAGES)] == [f"{number}.jpg" for number in range(9)]
    assert [row.content for row in rows(plan([], TEXTS, ["captions.csv"]), TEXTS)] == ["a", "b"]


def test_texts_come_from_lists_archives_and_parquet_files(here: Path) -> None:
    touch(here / "texts", "d.jpg")
    for name, content, text in (
        ("a.txt", b"one\n", "one"),
        ("c.parquet", parquet({"text": ["two"]}), "two"),
        ("b.tar", tar({"0.jpg": b"A", "0.txt": b"three"}), "three"),
    ):
        (here / "texts" / name).write_bytes(content)
        for source in ("texts", f"texts/{name}"):
            assert [row.content for row in rows(plan(source, TEXTS), TEXTS)] == [text]
    with pytest.raises(InputError, match=r"d.jpg: holds no texts; expected .txt, .parquet, .tar"):
        plan("texts/d.jpg", TEXTS)


@pytest.mark.parametrize("limit", [1, 3, 4, 5, 6, 7, 8, 9, 11, 14, 99])
def test_a_limit_is_of_all_rows_together(here: Path, limit: int) -> None:
    touch(here / "photos", *(f"{number}.jpg" for number in range(5)))
    (here / "0.tar").write_bytes(tar({f"{number}.jpg": b"A" for number in range(3)}))
    (here / "1.parquet").write_bytes(parquet({"image": [b"A"] * 4}))
    (here / "list.txt").write_bytes(b"x.jpg\ny.jpg\n")
    sources = ["photos", "0.tar", "1.parquet", "list.txt"]
    everything = [row.key for row in rows(plan(sources, IMAGES), IMAGES)]
    assert len(everything) == 14
    assert [row.key for row in rows(plan(sources, IMAGES, limit=limit), IMAGES)] == everything[:limit]


def test_a_limit_opens_no_more_archives_than_it_needs(store: ObjectStore) -> None:
    for number in range(40):
        store.put(f"memory://a/{number}.tar", tar({f"{sample}.jpg": b"A" * 11 for sample in range(10)}))
    for limit, opened in ((4, 1), (10, 1), (11, 2), (399, 40)):
        store.opened = 0
        parts = plan("memory://a/{0..39}.tar", IMAGES, limit=limit)
        assert (store.opened, len(parts)) == (opened, opened)
        assert [part.limit for part in parts[:-1]] == [None] * (opened - 1)
        assert parts[-1].limit == (limit % 10 or None)


def test_a_limit_needs_archives_that_can_be_counted(store: ObjectStore) -> None:
    """With fewer rows of this one there would be others, until it is there."""
    store.put("memory://a/1.tar", tar({"0.jpg": b"A"}))
    with pytest.raises(InputError, match=r"memory://a/0.tar: cannot be read"):
        plan("memory://a/{0..1}.tar", IMAGES, limit=1)


def test_a_store_is_read_as_folders_are(store: ObjectStore) -> None:
    for name in ("1.jpg", "0.jpg", "in/2.png", ".hidden/3.jpg", "x.tar"):
        store.put(f"memory://photos/{name}", name.encode())
    for number in range(3):
        store.put(f"memory://shards/{number}.tar", tar({"a.jpg": b"A"}))
    parts = plan("memory://photos/", IMAGES)
    assert [(row.key, row.content) for row in rows(parts, IMAGES)] == [
        (f"memory://photos/{name}", name.encode()) for name in ("0.jpg", "1.jpg", "in/2.png")
    ]
    for source in ("memory://shards", "memory://shards/{0..2}.tar", "memory://shards/*.tar"):
        assert [row.key for row in rows(plan(source, IMAGES), IMAGES)] == [
            f"{part.source}/a" for part in plan(source, IMAGES)
        ]


@pytest.mark.parametrize("query", ["id=1", "name=0.tar"])
def test_any_other_url_of_a_web_server_is_an_image(query: str) -> None:
    (part,) = plan(f"https://x.org/image?{query}", IMAGES)
    assert (part.reader, part.paths) == ("files", (f"https://x.org/image?{query}",))


def test_a_url_of_a_shard_may_have_a_query() -> None:
    (part,) = plan("https://x.org/0.tar?X-Amz-Signature=ab", IMAGES)
    assert (part.reader, part.source) == ("webdataset", "https://x.org/0.tar?X-Amz-Signature=ab")


def test_archives_are_opened_when_they_are_read(store: ObjectStore) -> None:
    parts = plan("memory://none/{000..999}.tar", IMAGES)
    assert len(parts) == 1000
    assert store.opened == 0
    with pytest.raises(InputError, match=r"memory://none/007.tar: cannot be read"):
        rows([parts[7]], IMAGES)


def test_a_damaged_parquet_file_makes_no_other_plan(here: Path) -> None:
    """It would not fit that of the next run, when the file is sound."""
    (here / "0.parquet").write_bytes(b"PAR1 no more")
    (here / "1.parquet").write_bytes(parquet({"image": [b"A"]}))
    with pytest.raises(InputError, match=r"0.parquet: is not a parquet file"):
        plan("*.parquet", IMAGES)


def test_an_image_that_is_gone_is_a_row(here: Path) -> None:
    """It may have gone since its path was printed, as a URL may."""
    (here / "a.jpg").touch()
    (part,) = plan(["a.jpg", "gone.jpg"], IMAGES)
    assert part.paths == ("a.jpg", "gone.jpg")


def test_a_store_that_cannot_be_reached_makes_no_other_plan(store: ObjectStore) -> None:
    """It would not fit the one of the next run."""
    url = store.put("memory://a/0.parquet", parquet({"image": [b"A"]}))
    store.breaks = [0] * 10
    with pytest.raises(InputError, match="the connection was reset"):
        plan(url, IMAGES)


@pytest.mark.parametrize(
    ("sources", "words"),
    [
        ("none", "none: there is no such file or folder"),
        ("empty", "empty: found no images, archives or parquet files in this folder"),
        ("none.parquet", "none.parquet: cannot be read"),
        ("*.jpg", "no file fits"),
        ([], "there is nothing to embed"),
        ("empty.txt", "there is nothing to embed"),
        (1, "sources: found 1"),
    ],
)
def test_what_cannot_be_read_is_told_before_anything_is_done(here: Path, sources: Any, words: str) -> None:
    pytest.importorskip("pyarrow", reason="parquet files need pyarrow: pip install 'numpyclip[parquet]'")
    (here / "empty").mkdir()
    touch(here, "empty.txt")
    with pytest.raises(InputError, match=words):
        plan(sources, IMAGES)


def test_what_cannot_be_read_can_be_left_out(here: Path) -> None:
    touch(here / "photos", "a.jpg", "b.txt", "in/c.txt")
    touch(here, "d.jpg")
    problems: list[Exception] = []
    left_out = Counter({".dng": 1})
    sources = ["*.none", "photos", "none.tar", "none", "d.jpg"]
    parts = parts_of(sources, IMAGES, report=problems.append, left_out=left_out)
    assert [part.paths or part.source for part in parts] == [("photos/a.jpg",), "none.tar", ("d.jpg",)]
    assert [str(problem).partition(":")[0] for problem in problems] == ["*.none", "none"]
    assert left_out == {".dng": 1, ".txt": 2}


def test_a_limit_is_of_rows() -> None:
    with pytest.raises(InputError, match="limit is 0; expected 1 or more"):
        plan("a.jpg", IMAGES, limit=0)


def test_a_folder_that_cannot_be_listed_is_reported(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(here / "photos", "a.jpg", "in/b.jpg")
    scan = os.scandir

    def refuse(path: str) -> Any:
        if path.endswith("in"):
            raise PermissionError(13, "Permission denied", path)
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(PictureError, match="Permission denied"):
        plan("photos", IMAGES)
    problems: list[Exception] = []
    assert [part.paths for part in plan("photos", IMAGES, on_error=problems.append)] == [("photos/a.jpg",)]
    assert len(problems) == 1


def test_folders_are_walked_on_the_thread_that_plans(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So are errors reported there."""
    touch(here / "photos", "a.jpg")
    monkeypatch.setattr(
        os, "scandir", lambda path: (_ for _ in ()).throw(PermissionError(13, "Permission denied", path))
    )
    threads: list[object] = []
    with pytest.raises(InputError, match="photos: cannot be read"):
        plan("photos", IMAGES, on_error=lambda error: threads.append(threading.current_thread()))
    assert threads == [threading.current_thread()]


def test_images_here_are_parts_before_the_next_source_is_asked_for(here: Path, store: ObjectStore) -> None:
    touch(here, "0.jpg", "1.jpg", "2.jpg")
    touch(here / "photos", "a.jpg", "b.jpg")
    asked: list[str] = []

    def sources() -> Iterator[str]:
        for name in ("0.jpg", "photos", "x.tar", "1.jpg", "memory://a.jpg", "2.jpg"):
            asked.append(name)
            yield name

    found = parts_of(sources(), IMAGES, report=lambda error: None, left_out=Counter())
    assert [(next(found).paths, len(asked)) for _ in range(3)] == [
        (("0.jpg",), 1),
        ((str(Path("photos", "a.jpg")),), 2),
        ((str(Path("photos", "b.jpg")),), 2),
    ]
    assert [(next(found).source, len(asked)) for _ in range(4)] == [
        ("x.tar", 3),
        ("1.jpg", 4),
        ("memory://a.jpg", 5),
        ("2.jpg", 6),
    ]


def test_files_that_are_no_images_are_counted(here: Path) -> None:
    touch(here / "photos", "a.jpg", "b.pdf", "in/c.pdf", "d.txt")
    left_out: Counter[str] = Counter()
    plan("photos", IMAGES, left_out=left_out)
    assert left_out == {".pdf": 2, ".txt": 1}
