"""Files and texts as nobody would make them: none ends an update, and all stores keep them alike."""

import os
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from numpyclip.errors import InputError
from numpyclip.images.exif import Exif
from numpyclip.images.find import FileState
from numpyclip.index import Index, Where
from numpyclip.index.picture_rows import storable
from numpyclip.index.records import Changes, Filed, NewPicture
from numpyclip.index.update import Report

YEAR = 365 * 86400 + 20935  # in seconds
TIMES = {  # seconds since 1970, and how dates begin
    "2301": (331 * YEAR, "2301"),
    "before 1970": (-10 * YEAR, "1960"),
    "1": (-1968 * YEAR, "0002"),
    "0": (-1970 * YEAR, "0001-01-01T00:00:00"),
    "-1": (-1971 * YEAR, "0001-01-01T00:00:00"),
    "10000": (8031 * YEAR, "9999-12-31T23:59:59"),
    "292277026596": ((1 << 63) - 1, "9999-12-31T23:59:59"),
    "before all": (-(1 << 63), "0001-01-01T00:00:00"),
}


@pytest.mark.parametrize("seconds", [330 * YEAR, -10 * YEAR])
def test_a_file_of_any_time_is_indexed(index: Index, photos: Path, seconds: int) -> None:
    picture = next(photos.glob("*.png"))
    os.utime(picture, (seconds, seconds))
    assert index.update([photos]) == Report(embedded=6)
    assert index.update() == Report(unchanged=6)
    assert index.known.of_file(picture) is not None


@pytest.mark.parametrize(("seconds", "date"), TIMES.values(), ids=TIMES)
def test_any_modification_time_is_stored(index: Index, seconds: int, date: str) -> None:
    """Also those that the file system of this machine does not have."""
    state = FileState(1, seconds * 10**9 + 7)
    digest, embedding = b"\1" * 32, index.model.embed_texts(["a bird"])[0]
    with index.store.writing():
        index.begin()
        index.store.write(
            Changes([Filed("/photos/a.png", state, digest)], {digest: NewPicture(Exif(1, 1), {"": embedding})})
        )
    ((found,),) = [index.store.files("/photos").values()]
    assert found == storable(state)
    (match,) = index.search(embedding, where=Where(before="9999-12-31T23:59:59" if seconds < 0 else None))
    assert str(match.date).startswith(date)


@pytest.mark.skipif(sys.platform != "linux", reason="other file systems take only Unicode")
def test_names_that_are_no_unicode(index: Index, photos: Path) -> None:
    folder = os.fsencode(photos) + b"/caf\xe9 \x1b[31m\n"
    Path(os.fsdecode(folder)).mkdir()
    Image.new("RGB", (50, 50), "red").save(os.fsdecode(folder + b"/\xe9t\xe9.png"))
    Path(os.fsdecode(folder + b"/broken \xff.png")).write_bytes(b"nothing")
    told: list[str] = []
    assert index.update([photos], report=told.append) == Report(embedded=7, unreadable=1)
    ((path, problem),) = index.store.problems()
    assert os.fsencode(path) == folder + b"/broken \xff.png"
    assert "cannot be read" in problem
    assert "\udce9" not in problem
    (match,) = index.search("red", where=Where(folder=os.fsdecode(folder)))
    assert os.fsencode(str(match.path)) == folder + b"/\xe9t\xe9.png"
    assert index.update() == Report(unchanged=8)
    with index.store.writing():
        assert index.store.forget_folder(os.fsdecode(folder)) == 2


def long_folder(letters: str) -> str:
    return "/" + "/".join(letters[start : start + 80] for start in range(0, len(letters), 80))


@pytest.mark.parametrize(
    "folder",
    [
        long_folder("".join(map(chr, np.random.default_rng(0).integers(0x4E00, 0x9FFF, 4000)))),
        "/" + "a" * 100_000,
        "/\udce9/\udcff",
    ],
    ids=["chinese", "long", "latin"],
)
def test_paths_of_any_kind_are_stored(index: Index, folder: str) -> None:
    digest, embedding = b"\1" * 32, index.model.embed_texts(["a bird"])[0]
    filed = Filed(f"{folder}/a.png", FileState(1, 1), digest)
    with index.store.writing():
        index.begin()
        for _ in range(2):  # the second time it is there
            index.store.set_folder(folder, ["raw"])
        index.store.write(Changes([filed], {digest: NewPicture(Exif(1, 1), {"": embedding})}))
        index.store.write(Changes([filed]))
    assert index.store.folders() == {folder: ("raw",)}
    assert list(index.store.files(folder)) == ["a.png"]
    assert index.store.directories(folder) == [folder]
    assert [match.path for match in index.search(embedding, where=Where(folder=folder))] == [f"{folder}/a.png"]
    with index.store.writing():
        assert index.store.forget_folder(folder) == 1


TEXTS = [
    "\ud800",
    "a bird\udfff",
    "a\0bird",
    "\0",
    "a" * 100_000,
    "".join(map(chr, np.random.default_rng(0).integers(0x4E00, 0x9FFF, 4000))),
    "\x1b[31mred",
    "",
    "é",
]


def test_texts_of_any_kind_are_stored(index: Index) -> None:
    embeddings = index.model.embed_texts([f"text {number}" for number in range(len(TEXTS))])
    with index.store.writing():
        index.begin()
        assert index.store.unknown_texts(TEXTS + TEXTS) == TEXTS
        index.store.write_texts(TEXTS, embeddings)
        assert index.store.unknown_texts(TEXTS) == []
        index.store.write_texts(TEXTS, embeddings)
    assert index.store.counts().texts == len(TEXTS)
    for text, embedding in zip(TEXTS, embeddings, strict=True):
        assert index.search(embedding, 1, modality="texts")[0].text == text


@pytest.mark.parametrize("folder", ["\ud800", "a\0b", ""])
def test_what_is_no_path_is_refused(index: Index, folder: str) -> None:
    with pytest.raises(InputError):
        Where(folder=folder)
    with pytest.raises(InputError):
        index.update([folder])
    with pytest.raises(InputError):
        Index(folder or "\0", index.model)
    with index.store.writing(), pytest.raises(InputError, match="no path can be"):
        index.store.forget_folder(folder or "\0")


@pytest.mark.parametrize("number", [-1, 1 << 63, 10**30])
def test_there_is_no_picture_of_an_impossible_number(index: Index, number: int) -> None:
    with index.store.writing():
        index.begin()
    assert index.store.picture(number) is None


def test_a_message_of_any_kind_is_stored(index: Index) -> None:
    with index.store.writing():
        index.store.write(Changes([Filed("/a.png", FileState(1, 1), None, "\ud800 \0 " + "é" * 10_000)]))
    ((_, problem),) = index.store.problems()
    assert problem.startswith(r"\ud800 \x00 éé")


@pytest.mark.skipif(os.name == "nt", reason="there are none")
@pytest.mark.parametrize("kind", ["fifo", "device"])
def test_a_picture_that_becomes_a_special_file(index: Index, photos: Path, kind: str) -> None:
    picture = next(photos.glob("*.png"))
    index.update([photos])
    picture.unlink()
    os.mkfifo(picture) if kind == "fifo" else picture.symlink_to("/dev/zero")
    assert index.update() == Report(unchanged=5, forgotten=1)


@pytest.mark.skipif(os.name == "nt", reason="there are none")
def test_a_picture_that_becomes_a_named_pipe_while_it_is_waiting(index: Index, photos: Path) -> None:
    def replaced(files: list[tuple[str, FileState]]) -> list[tuple[str, FileState]]:
        Path(files[0][0]).unlink()
        os.mkfifo(files[0][0])
        return files

    assert index.update([photos], progress=replaced) == Report(embedded=5, unreadable=1)
    assert "named pipe" in next(index.store.problems())[1]


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_an_embedding_that_is_not_finite_is_a_problem_of_its_picture(
    index: Index, photos: Path, monkeypatch: pytest.MonkeyPatch, value: float
) -> None:
    real = type(index.model).embed_pixels

    def broken(model, pixels, **options):  # type: ignore[no-untyped-def]
        rows = np.array(list(real(model, pixels, **options)))
        rows[2, 3] = value
        return rows

    monkeypatch.setattr(type(index.model), "embed_pixels", broken)
    told: list[str] = []
    assert index.update([photos], report=told.append) == Report(embedded=5, unreadable=1)
    ((path, problem),) = index.store.problems()
    assert told == [f"{path}: {problem}"]
    assert "NaN or infinity" in problem
    monkeypatch.undo()
    assert index.update() == Report(unchanged=5, embedded=1)  # tried again


def test_a_store_takes_no_embedding_that_no_search_finds(index: Index) -> None:
    digest = b"\1" * 32
    for embedding in (np.full(128, np.nan, np.float32), np.zeros(128, np.float32), np.full(128, 7, np.float32)):
        with index.store.writing():
            index.begin()
            with pytest.raises(InputError, match="not of unit length"):
                index.store.write(
                    Changes(
                        [Filed("/a.png", FileState(1, 1), digest)], {digest: NewPicture(Exif(1, 1), {"": embedding})}
                    )
                )
            with pytest.raises(InputError, match="not of unit length"):
                index.store.write_texts(["a"], embedding[np.newaxis])
    assert index.store.counts().files == index.store.counts().texts == 0
