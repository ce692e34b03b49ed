"""An HNSW index beside the shards. Random rows are the hardest there are for one."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Timer

import numpy as np
import pytest

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.errors import StoreError
from numpyclip.index import Index, Where
from numpyclip.index.file_checksum import checksum
from numpyclip.index.open_store import open_store
from numpyclip.index.vectors import LEAST_RECALL, Progress, Space, hnsw
from numpyclip.index.vectors.scan import nearest
from numpyclip.index.vectors.shards import Shards

pytest.importorskip("usearch")


def unit(rows: int, seed: int = 0) -> np.ndarray:
    vectors = np.random.default_rng(seed).standard_normal((rows, 32), np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


@pytest.fixture
def shards(tmp_path: Path) -> Shards:
    shards = Shards(tmp_path / "pictures-1", 32)
    shards.write(0, unit(2000))
    return shards


SPACE = Space(1, "pictures")


def built(shards: Shards, count: int, folder: Path) -> hnsw.HNSW:
    hnsw.build(shards, count, folder, SPACE)
    found = hnsw.opened(hnsw.files(folder, SPACE))
    assert found is not None
    return found


def recorded_in(steps: list[int]) -> Progress:
    def progress(numbers: Iterator[int]) -> Iterator[int]:
        for number in numbers:
            steps.append(number)
            yield number

    return progress


def test_it_finds_nearly_all_and_tells_how_much(shards: Shards, tmp_path: Path) -> None:
    steps: list[int] = []
    recall = hnsw.build(shards, 2000, tmp_path, SPACE, recorded_in(steps))
    assert sum(steps) == 2000
    assert (recall.queries, recall.n) == (200, 10)
    assert recall.is_good
    assert recall.images > 0.95
    assert recall.texts > 0.95
    graph = hnsw.opened(hnsw.files(tmp_path, SPACE))
    assert graph is not None
    queries = unit(50, seed=1)
    exact, found = nearest(shards, 2000, queries, 10), graph.nearest(shards, 2000, queries, 10)
    hits = sum(len(np.intersect1d(a, b)) for (a, _), (b, _) in zip(found, exact, strict=True))
    assert hits > 0.95 * 500
    for (rows, scores), query in zip(found, queries, strict=True):
        np.testing.assert_allclose(scores, shards.take(rows, 2000) @ query, atol=1e-6)  # exact, and in order
        assert (np.diff(scores) <= 0).all()
    everyone = np.arange(2000)  # also those that were held out
    assert all(graph.nearest(shards, 2000, shards.take(everyone[i : i + 1], 2000), 1)[0][0] == [i] for i in range(100))


PROGRAM = """
import functools, os, signal, sys
from pathlib import Path
from numpyclip.index.vectors import Space, hnsw
from numpyclip.index.vectors.shards import Shards
from usearch.index import Index

Index.add = functools.partialmethod(Index.add, threads=1)
folder, moment, after = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
hnsw._AT_ONCE, hnsw._PATIENCE, calls, checksum = 128, 0, 0, hnsw.checksum

def die():
    global calls
    calls += 1
    if calls == after:
        os.kill(os.getpid(), signal.SIGKILL)

def killed_saving(file):
    die()
    return checksum(file)

def killed_building(steps):
    for step in steps:
        die()
        yield step

if moment == "saving":
    hnsw.checksum = killed_saving
hnsw.build(Shards(folder / "pictures-1", 32), 1000, folder, Space(1, "pictures"),
           killed_building if moment == "building" else iter)
"""


@pytest.fixture
def added(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Rows in the order in which they are added to graphs: by one thread, since several link some rows by chance."""
    from usearch.index import Index

    rows: list[int] = []
    add = Index.add

    def recorded(graph: object, keys: np.ndarray, vectors: np.ndarray) -> None:
        rows.extend(keys.tolist())
        add(graph, keys, vectors, threads=1)

    monkeypatch.setattr(Index, "add", recorded)
    monkeypatch.setattr(hnsw, "_AT_ONCE", 128)
    return rows


def interrupted(shards: Shards, count: int, folder: Path, after: int) -> None:
    """Build with Ctrl-C after some steps."""

    def progress(steps: Iterator[int]) -> Iterator[int]:
        for number, step in enumerate(steps):
            if number == after:
                raise KeyboardInterrupt
            yield step

    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(hnsw, "_PATIENCE", 0)
        hnsw.build(shards, count, folder, SPACE, progress)


def rows_of_only_graph(folder: Path) -> list[int]:
    assert [file.suffix for file in folder.glob("*pictures-1-*")] == [".usearch"]
    graph = hnsw.opened(hnsw.files(folder, SPACE))
    assert graph is not None
    return sorted(graph._graph.keys)


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL there")
@pytest.mark.parametrize(
    ("moment", "after", "least"),
    [("building", 1, 90), ("building", 5, 450), ("building", 8, 800), ("saving", 1, 0), ("saving", 4, 250)],
)
def test_a_build_that_is_killed_goes_on(
    shards: Shards, tmp_path: Path, added: list[int], moment: str, after: int, least: int
) -> None:
    killed = subprocess.run([sys.executable, "-c", PROGRAM, str(tmp_path), moment, str(after)])
    assert killed.returncode == -9
    assert not list(tmp_path.glob("*.usearch"))  # no search takes a part for a graph
    added.clear()
    steps: list[int] = []
    recall = hnsw.build(shards, 1000, tmp_path, SPACE, recorded_in(steps))
    assert rows_of_only_graph(tmp_path) == list(range(1000))
    assert len(added) <= 1000 - least
    assert sum(steps) == 1000
    assert (recall.queries, recall.n) == (200, 10)
    assert recall.least > 0.98  # as of one that was not interrupted


@pytest.mark.skipif(os.name == "nt", reason="SIGINT ends the process there")
@pytest.mark.parametrize("held_out", [False, True])  # which are added last
def test_ctrl_c_within_usearch_is_no_error(
    shards: Shards, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, held_out: bool
) -> None:
    from usearch.index import Index

    add = Index.add

    def interrupted(*arguments: object) -> None:
        if held_out and len(arguments[1]) != 200:  # type: ignore[arg-type]
            add(*arguments)
            return
        Timer(0.05, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
        while True:
            add(*arguments)
            arguments[0].clear()  # type: ignore[attr-defined]

    monkeypatch.setattr(Index, "add", interrupted)
    with pytest.raises(KeyboardInterrupt):
        hnsw.build(shards, 2000, tmp_path, SPACE)


def test_it_is_meant_for_the_rows_there_were(shards: Shards, tmp_path: Path, added: list[int]) -> None:
    interrupted(shards, 700, tmp_path, 3)
    added.clear()
    recall = hnsw.build(shards, 1000, tmp_path, SPACE)
    assert rows_of_only_graph(tmp_path) == list(range(1000))
    assert len(added) < 800
    assert recall.queries == 200
    assert recall.is_good


def test_of_two_parts_the_longer_one_is_gone_on_with(shards: Shards, tmp_path: Path, added: list[int]) -> None:
    parts = []
    for after in (6, 3, 5):  # as after kills between saving one and removing the one before
        interrupted(shards, 1000, tmp_path, after)
        (part,) = tmp_path.glob("*.usearch-part")
        parts.append((part, part.read_bytes()))
        part.unlink()
    for part, data in sorted(parts):
        part.write_bytes(data)
    added.clear()
    assert hnsw.build(shards, 1000, tmp_path, SPACE).is_good
    assert len(added) < 1000 - 0.75 * 7 * 128
    assert rows_of_only_graph(tmp_path) == list(range(1000))


def test_one_that_is_built_again_may_be_the_same(
    shards: Shards, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hnsw, "checksum", lambda file: "12345678")  # usearch builds another one on several cores

    def build() -> Path:
        assert hnsw.build(shards, 1000, tmp_path, SPACE).is_good
        assert rows_of_only_graph(tmp_path) == list(range(1000))
        return next(tmp_path.glob("*.usearch"))

    graph = build()
    assert build() == graph
    graph.unlink()
    graph.mkdir()
    assert build() == graph


def damaged(folder: Path) -> None:
    (file,) = folder.glob("*.usearch-part")
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def of_another_row(folder: Path) -> None:
    Shards(folder / "pictures-1", 32).write(0, unit(1, seed=9))


def of_no_graph(folder: Path) -> None:
    (file,) = folder.glob("*.usearch-part")
    file.write_bytes(b"no graph")
    words = file.stem.split("-")
    file.rename(file.with_stem("-".join([*words[:-2], checksum(file)])))


def a_folder(folder: Path) -> None:
    (file,) = folder.glob("*.usearch-part")
    file.unlink()
    file.mkdir()


def of_more_rows(folder: Path) -> None:
    (file,) = folder.glob("*.usearch-part")
    file.rename(file.with_stem(file.stem.replace("-1000-", "-1001-")))


@pytest.mark.parametrize("change", [damaged, of_another_row, of_no_graph, a_folder, of_more_rows])
def test_a_part_that_does_not_fit_is_not_gone_on_with(
    shards: Shards, tmp_path: Path, added: list[int], change: Callable[[Path], None]
) -> None:
    interrupted(shards, 1000, tmp_path, 3)
    added.clear()
    change(tmp_path)
    assert hnsw.build(shards, 1000, tmp_path, SPACE).is_good
    assert rows_of_only_graph(tmp_path) == sorted(added) == list(range(1000))


def test_a_part_of_a_graph_is_removed_with_it(pictures: Index, tmp_path: Path) -> None:
    part = tmp_path / "index" / "pictures-1-6-6-0-0.usearch-part"
    part.write_bytes(b"")
    assert pictures.store.remove_hnsw()
    assert not part.exists()
    part.write_bytes(b"")
    with pictures.store.writing():
        pictures.store.compact()
    assert not part.exists()


def test_one_that_misses_too_much_is_not_kept(shards: Shards, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pictures-1-1000-1-12345678.usearch").write_bytes(b"the one before")
    weak = {"hnsw._CONNECTIONS": 2, "hnsw._EXPANSION": 2, "recall.CANDIDATES": (10,), "recall._WIDTH": 1}
    for name, value in weak.items():
        monkeypatch.setattr(f"numpyclip.index.vectors.{name}", value)
    recall = hnsw.build(shards, 2000, tmp_path, SPACE)
    assert not recall.is_good
    assert recall.least < LEAST_RECALL
    assert not list(tmp_path.glob("*.usearch"))  # nor the one before


def test_candidates_are_as_many_as_recall_needs(
    shards: Shards, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = {"hnsw._CONNECTIONS": 4, "hnsw._EXPANSION": 8, "recall.CANDIDATES": (10, 80, 640), "recall._WIDTH": 1}
    for name, value in few.items():
        monkeypatch.setattr(f"numpyclip.index.vectors.{name}", value)
    recall = hnsw.build(shards, 2000, tmp_path, SPACE)
    assert recall.candidates > 10
    (saved,) = hnsw.files(tmp_path, SPACE)
    assert (saved.rows, saved.candidates) == (2000, recall.candidates)
    graph, queries = hnsw.opened([saved]), unit(50, seed=1)
    assert graph is not None
    exact, found = nearest(shards, 2000, queries, 10), graph.nearest(shards, 2000, queries, 10)
    assert sum(len(np.intersect1d(a, b)) for (a, _), (b, _) in zip(found, exact, strict=True)) > 0.9 * 500


def test_files_of_an_earlier_version_do_not_name_candidates(tmp_path: Path) -> None:
    for name in (
        "pictures-1-1000-7-12345678",
        "pictures-1-2000-512-7-12345678",
        "pictures-1-x-7-12345678",
        "pictures-1-7",
    ):
        (tmp_path / f"{name}.usearch").touch()
    assert sorted(saved[:2] for saved in hnsw.files(tmp_path, SPACE)) == [(7, 256), (1000, 256), (2000, 512)]


def test_rows_that_came_later_are_scanned(shards: Shards, tmp_path: Path) -> None:
    graph = built(shards, 1600, tmp_path)
    for row in (1600, 1777, 1999):
        ((rows, scores),) = graph.nearest(shards, 2000, shards.take(np.array([row]), 2000), 3)
        assert rows[0] == row
        assert scores[0] == pytest.approx(1, abs=1e-6)


def test_more_may_be_wanted_than_there_are(shards: Shards, tmp_path: Path) -> None:
    ((rows, _),) = built(shards, 20, tmp_path).nearest(shards, 20, unit(1, seed=3), 100)
    assert sorted(rows.tolist()) == list(range(20))


@pytest.fixture
def pictures(photos: Path, tmp_path: Path, tiny: CLIP) -> Index:
    index = Index(tmp_path / "index", tiny, create=True)
    index.update([photos])
    return index


def test_searches_use_it(pictures: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = [match.path for match in pictures.search("a bird", 4)]
    assert pictures.store.build_hnsw().least == 1
    calls: list[int] = []
    search = hnsw.HNSW.nearest
    monkeypatch.setattr(hnsw.HNSW, "nearest", lambda *args: calls.append(1) or search(*args))  # type: ignore[func-returns-value]
    assert [match.path for match in pictures.search("a bird", 4)] == expected
    assert calls == [1]
    assert pictures.search("a bird", 4, where=Where(after="2000"))  # with conditions its candidates might not fit
    assert calls == [1]
    assert pictures.store.remove_hnsw()
    assert not pictures.store.remove_hnsw()
    pictures.search("a bird", 4)
    assert calls == [1]


def test_others_write_while_it_is_built(pictures: Index, tmp_path: Path) -> None:
    other = open_store(tmp_path / "index")

    def progress(steps: Iterator[int]) -> Iterator[int]:
        for step in steps:
            with other.writing():
                other.set_folder("/elsewhere", [])
            assert (tmp_path / "index" / "index.sqlite-checksum").exists()  # so all is in the file, and no log left
            yield step

    assert pictures.store.build_hnsw(progress).is_good
    assert len(other.folders()) == 2


def test_one_process_builds_at_a_time(pictures: Index, tmp_path: Path) -> None:
    def progress(steps: Iterator[int]) -> Iterator[int]:
        for change in (open_store(tmp_path / "index").build_hnsw, open_store(tmp_path / "index").remove_hnsw):
            with pytest.raises(StoreError, match="another process is building a graph; wait until it is done"):
                change()
        yield from steps

    assert pictures.store.build_hnsw(progress).is_good
    assert pictures.store.remove_hnsw()


def test_a_new_one_takes_the_place_of_the_old(pictures: Index, photos: Path, tmp_path: Path) -> None:
    pictures.store.build_hnsw()
    (next((photos / "more").iterdir())).rename(photos / "moved.png")
    picture = next(photos.glob("*.png"))
    from PIL import Image

    Image.open(picture).rotate(90).save(photos / "new.png")
    pictures.update()
    assert any(match.path == str(photos / "new.png") for match in pictures.search("a bird", 9))
    pictures.store.build_hnsw()
    (graph,) = (tmp_path / "index").glob("pictures-1-7-*.usearch")
    assert [path.name for path in (tmp_path / "index").glob("*.usearch")] == [graph.name]
    pictures.update()
    with pictures.store.writing():
        pictures.store.compact()
    assert not list((tmp_path / "index").glob("*.usearch"))  # of embeddings that are gone


def test_a_damaged_one_is_passed_over(pictures: Index, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    expected = [match.path for match in pictures.search("a bird", 4)]
    (tmp_path / "index" / "pictures-1-6.usearch").write_bytes(b"no graph")
    assert [match.path for match in pictures.search("a bird", 4)] == expected
    assert "the search is exhaustive" in caplog.text


def test_of_nothing_there_is_no_graph(tmp_path: Path) -> None:
    store = open_store(tmp_path / "index", create=True)
    with pytest.raises(StoreError, match="holds no images yet"):
        store.build_hnsw()
