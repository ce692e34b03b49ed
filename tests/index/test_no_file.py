"""Images that are no files here: in archives and tables, on this machine and elsewhere."""

import hashlib
import os
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from numpyclip.batch import embed
from numpyclip.dual_encoder.clip import CLIP
from numpyclip.errors import InputError
from numpyclip.images.exif import Exif
from numpyclip.images.find import NO_FILE, FileState
from numpyclip.index import Index, Where
from numpyclip.index.picture_rows import key_of, path_of
from numpyclip.index.records import Changes, Filed, NewPicture

pytest.importorskip("pyarrow")

from numpyclip.index.exporting import export_embeddings
from numpyclip.index.importing import import_embeddings
from numpyclip.index.migrate import migrate
from tests.object_store import ObjectStore
from tests.shard_files import parquet, tar

TAR, TABLE = "memory://bucket//shards/00000.tar", "memory://bucket//more.parquet"


@pytest.fixture
def contents(emoji: dict[str, Image.Image], tmp_path: Path) -> list[bytes]:
    """Eight image files, of which the first says when and where it was taken."""
    files = []
    for number, (_, picture) in enumerate(sorted(emoji.items())[:8]):
        exif = Image.Exif()
        if number == 0:
            exif[0x0132] = "2024:05:01 12:30:00"  # DateTime
        picture.save(tmp_path / "image.png", exif=exif)
        files.append((tmp_path / "image.png").read_bytes())
    return files


def archive(contents: list[bytes]) -> bytes:
    return tar({f"s/{number:03}.png": content for number, content in enumerate(contents)})


@pytest.fixture
def bucket(contents: list[bytes], monkeypatch: pytest.MonkeyPatch) -> ObjectStore:
    """Five in an archive, three in a table."""
    store = ObjectStore(monkeypatch)
    store.put(TAR, archive(contents[:5]))
    store.put(TABLE, parquet({"image": contents[5:], "sha256": ["of a download"] * 3}))
    return store


def embedded(out: str, *sources: str) -> str:
    embed(list(sources), out, model="tiny", workers=1)
    return out


def paths(index: Index, *words: Any, **options: Any) -> list[str]:
    """What a search finds, where `Where` says."""
    return sorted(str(match.path) for match in index.search("a bird", where=Where(*words, **options)))


def test_keys_longer_than_file_systems_have_them(index: Index, tiny: CLIP) -> None:
    start = "https://x.org/" + "".join(hashlib.sha256(bytes([number])).hexdigest() for number in range(99))
    urls = [start, f"{start}&a", f"{start}&b", f"{start}/c"]
    changes = Changes()
    for url in urls:
        changes.filed.append(Filed(url, NO_FILE, hashlib.sha256(url.encode()).digest()))
        changes.pictures[hashlib.sha256(url.encode()).digest()] = NewPicture(
            Exif(1, 1), {"": tiny.embed_texts("a bird")[0]}
        )
    with index.adding():
        index.begin()
        assert index.store.write(changes) == 4
        index.store.write(changes)
    assert paths(index) == sorted(urls)
    assert paths(index, start) == urls[3:]


def test_images_elsewhere_are_searched_and_forgotten(
    index: Index, bucket: ObjectStore, contents: list[bytes], tiny: CLIP
) -> None:
    out = embedded("memory://bucket/out", TAR, TABLE)
    bucket.put(TAR, b"")  # nothing of it is read again
    told: list[str] = []
    assert import_embeddings(index, out, report=told.append) == 8
    assert import_embeddings(index, out, report=told.append) == 0
    assert told == []
    everything = [f"{TAR}/s/{n:03}" for n in range(5)] + [f"{TABLE}/{n}" for n in range(3)]
    assert paths(index) == sorted(everything)
    assert paths(index, TAR) == paths(index, f"{TAR}/") == paths(index, f"{TAR}/s") == everything[:5]
    assert paths(index, "memory://bucket") == paths(index, "memory://bucket/") == sorted(everything)
    assert paths(index, "memory://bucket/shards") == []  # the slash that was doubled is another folder
    assert paths(index, f"{TAR}/s/00") == []
    assert paths(index, after="2024") == everything[:1]
    (match,) = index.search(tiny.embed_images(contents[0], draft=True, orient=True)[0], 1)
    assert (match.path, match.date, match.file) == (everything[0], "2024-05-01T12:30:00", None)
    assert match.cosine == pytest.approx(1, abs=1e-5)
    assert match.exif == Exif(*Image.open(BytesIO(contents[0])).size, "2024-05-01T12:30:00")
    assert index.search("a bird", 20, where=Where(before="0002"))[0].date == "0001-01-01T00:00:00"
    with index.store.writing():
        assert index.store.forget_folder(f"{TAR}/") == 5
    assert paths(index) == everything[5:]
    assert import_embeddings(index, out) == 0  # the embeddings were still there
    assert paths(index) == sorted(everything)


def test_what_has_changed_elsewhere_takes_its_place(index: Index, bucket: ObjectStore, contents: list[bytes]) -> None:
    import_embeddings(index, embedded("memory://bucket/out", TAR))
    bucket.put(TAR, archive(contents[5:]))
    assert import_embeddings(index, embedded("memory://bucket/again", TAR)) == 3
    assert paths(index) == [f"{TAR}/s/{n:03}" for n in range(5)]
    known = index.store.paths_of([hashlib.sha256(content).digest() for content in contents])
    assert known[hashlib.sha256(contents[5]).digest()] == {f"{TAR}/s/000"}
    assert known[hashlib.sha256(contents[0]).digest()] == set()


def test_an_update_keeps_what_is_in_archives_and_forgets_files(
    index: Index, photos: Path, tmp_path: Path, contents: list[bytes]
) -> None:
    (photos / "00000.tar").write_bytes(archive(contents[:3]))
    index.update([photos])
    import_embeddings(index, embedded(f"{tmp_path}/out", str(photos / "00000.tar")))
    inside = [f"{photos}/00000.tar/s/{n:03}" for n in range(3)]
    next((photos / "more").iterdir()).unlink()
    report = index.update()
    assert (report.forgotten, report.embedded, report.recognised, report.problems) == (1, 0, 0, [])
    assert paths(index, photos / "00000.tar") == inside
    assert len(index.store.directories(str(photos))) == 2
    with index.store.writing():
        assert index.store.forget_folder(str(photos / "00000.tar")) == 3
    assert index.update().unchanged == 5


def test_they_take_no_files_place(index: Index, photos: Path, tiny: CLIP) -> None:
    """A hostile archive may have any names in it, of which the path of a file may be made."""
    index.update([photos])
    path = str(next(photos.glob("*.png")))
    (digest,) = (state.digest for name, state in index.store.files(str(photos)).items() if path.endswith(name))
    other = NewPicture(Exif(1, 1), {"": tiny.embed_texts("a bird")[0]})
    with index.store.writing():
        index.store.write(Changes([Filed(path, NO_FILE, bytes(32))], {bytes(32): other}))
    assert index.store.paths_of([bytes(32), digest or b""]) == {bytes(32): set(), digest: {path}}


def test_a_migration_is_refused_before_anything_is_done(
    index: Index, photos: Path, bucket: ObjectStore, tmp_path: Path
) -> None:
    from tests.index.test_migrate import half_of_tiny

    index.update([photos])
    import_embeddings(index, embedded("memory://bucket/out", TABLE))
    other = half_of_tiny(tmp_path / "other.npz", shift=0)
    with index.store.writing():
        with pytest.raises(InputError, match=rf"cannot be read again, such as {TABLE}/\d\. Run `numpyclip index`"):
            next(migrate(index.store, other))
        assert index.store.compact() == 0  # which a migration that has begun would refuse
    assert len(paths(index)) == 8  # of which one is a file, too


def test_they_are_exported_and_come_back(index: Index, bucket: ObjectStore, tmp_path: Path, tiny: CLIP) -> None:
    from tests.index.test_importing import found

    import_embeddings(index, embedded("memory://bucket/out", TAR, TABLE))
    export_embeddings(index.store, tmp_path / "exported")
    with Index(tmp_path / "second", tiny, create=True) as second:
        assert import_embeddings(second, tmp_path / "exported") == 8
        assert found(second) == found(index)


def test_machines_divide_the_files(index: Index, bucket: ObjectStore) -> None:
    out = embedded("memory://bucket/out", TAR, TABLE)
    steps: list[int] = []

    def counted(files: list[Any]) -> list[Any]:
        steps.append(len(files))
        return files

    assert import_embeddings(index, out, counted, shard=(1, 2)) == 3
    assert import_embeddings(index, out, counted, shard=(0, 2)) == 5
    assert steps == [1, 1]
    with pytest.raises(InputError, match="expected an index from 0"):
        import_embeddings(index, out, shard=(2, 2))
    assert import_embeddings(index, "memory://bucket/out/part-00001.parquet") == 0


@pytest.mark.parametrize(
    ("path", "key"),
    [
        ("s3://b/00000.tar/s/000", ("s3://b/00000.tar/s", "000")),
        ("s3://b//a//b.jpg", ("s3://b//a/", "b.jpg")),
        ("s3://b", ("s3:/", "b")),
        ("https://x.org/image?id=a/b", ("https://x.org/image?id=a", "b")),
        ("/a.jpg", ("/", "a.jpg")),
        ("/photos/0.tar/a", ("/photos/0.tar", "a")),
    ],
)
def test_urls_are_divided_exactly(path: str, key: tuple[str, str]) -> None:
    assert key_of(path) == tuple(map(os.fsencode, key))
    assert path_of(*key_of(path)) == path


def test_a_url_is_no_folder_to_be_indexed(index: Index) -> None:
    with pytest.raises(InputError, match=r"s3://b/photos: is a URL\. Run `numpyclip embed images`"):
        index.update(["s3://b/photos"])


def test_their_state_is_that_of_no_file() -> None:
    assert (NO_FILE.is_here, FileState(0, -1).is_here) == (False, True)
