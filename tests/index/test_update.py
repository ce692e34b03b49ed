import os
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import numpyclip
from numpyclip.dual_encoder.clip import CLIP
from numpyclip.errors import InputError, StoreError
from numpyclip.index import Index, Where
from numpyclip.index.records import Counts
from numpyclip.index.store import Store
from numpyclip.index.update import Report
from numpyclip.index.vectors import memory_mapped


def names(index: Index) -> set[str]:
    matches = index.search("a bird", n=100)
    return {Path(path).name for match in matches for path in (match.path, *match.copies) if path}


def test_pictures_are_embedded_once(index: Index, photos: Path, tiny: CLIP) -> None:
    assert index.update([photos]) == Report(embedded=6)
    assert index.update() == Report(unchanged=6)
    for match in index.search("a bird", n=6):
        assert match.path is not None
        np.testing.assert_allclose(match.embedding, tiny.embed_images(match.path)[0], atol=2e-6)


def test_moved_renamed_and_copied_files_are_recognised(index: Index, photos: Path) -> None:
    index.update([photos])
    first, second, *_ = sorted(photos.glob("*.png"))
    first.rename(photos / "more" / "renamed.png")
    shutil.copy(second, photos / "copy.png")
    assert index.update() == Report(unchanged=5, recognised=2, forgotten=1)
    assert {"renamed.png", "copy.png", second.name} <= names(index)
    assert first.name not in names(index)
    (match,) = [match for match in index.search("a bird", n=10) if match.copies]
    assert {Path(str(match.path)).name, *(Path(copy).name for copy in match.copies)} == {"copy.png", second.name}


def test_a_copy_that_was_read_before_its_picture_was_written(
    index: Index, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    knows, main = Store.knows, threading.current_thread()
    monkeypatch.setattr(Store, "knows", lambda *args: threading.current_thread() is main and knows(*args))
    shutil.copy(sorted(photos.glob("*.png"))[0], photos / "more" / "copy.png")
    assert index.update([photos], batch_size=1) == Report(embedded=6, recognised=1)


def test_copies_in_one_batch_are_embedded_once(index: Index, photos: Path) -> None:
    for number in range(3):
        shutil.copy(photos / next(photos.glob("*.png")).name, photos / f"copy {number}.png")
    assert index.update([photos]) == Report(embedded=6, recognised=3)


def test_changed_files_are_read_anew_and_gone_ones_forgotten(index: Index, photos: Path) -> None:
    index.update([photos])
    changed, gone, *_ = sorted(photos.glob("*.png"))
    Image.new("RGB", (9, 9), "red").save(changed)
    os.utime(changed, (1, 1))
    gone.unlink()
    assert index.update() == Report(unchanged=4, embedded=1, forgotten=1)
    assert index.store.counts() == Counts(files=5, pictures=5, texts=0, unreadable=0)
    assert len(index.search("a bird", n=100)) == 5


def test_what_cannot_be_read_is_reported_once(index: Index, photos: Path) -> None:
    (photos / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 not much of a picture")
    (photos / "archive.zip").write_bytes(b"PK")
    told: list[str] = []
    assert index.update([photos], report=told.append) == Report(embedded=6, unreadable=1)
    assert [problem.partition(": ")[0] for problem in told] == [str(photos / "broken.jpg")]
    assert index.update(report=told.append) == Report(unchanged=7)
    assert len(told) == 1
    assert [path for path, _ in index.store.problems()] == [str(photos / "broken.jpg")]


def test_hidden_and_ignored_files_are_left_out(index: Index, photos: Path) -> None:
    picture = next(photos.glob("*.png"))
    for place in (".hidden.png", ".thumbnails/a.png", "@eaDir/a.png", "raw/a.png", "more/x_small.png", "more/raw.png"):
        (photos / place).parent.mkdir(exist_ok=True)
        shutil.copy(picture, photos / place)
    assert index.update([photos], ignore=["raw", "more/*_small.png"]) == Report(embedded=6, recognised=1)
    assert index.update() == Report(unchanged=7)
    (photos / "raw").rename(photos / "cooked")
    assert index.update() == Report(unchanged=7, recognised=1)


def test_a_folder_that_is_not_there_any_more_keeps_its_pictures(index: Index, photos: Path) -> None:
    index.update([photos])
    away = photos.rename(photos.with_name("away"))
    report = index.update()
    assert "is not there; its images stay" in report.problems[0]
    photos.mkdir()  # a place to mount a disk
    report = index.update()
    assert "holds no images now, and 6 of it are in the index" in report.problems[0]
    assert index.store.counts().files == 6
    photos.rmdir()
    away.rename(photos)
    assert index.update() == Report(unchanged=6)
    with index.store.writing():
        assert index.store.forget_folder(str(photos)) == 6
    assert index.search("a bird") == []


def test_a_forgotten_folder_stays_forgotten_until_it_is_added(index: Index, photos: Path) -> None:
    (photos / "[more]*").mkdir()  # a name that is a pattern, too
    shutil.copy(next(photos.glob("*.png")), photos / "[more]*" / "a.png")
    (photos / "deep" / "more").mkdir(parents=True)
    shutil.copy(next(photos.glob("*.png")), photos / "deep" / "more" / "b.png")
    index.update([photos])
    with index.store.writing():
        assert index.store.forget_folder(str(photos / "more")) == 3
        assert index.store.forget_folder(str(photos / "[more]*")) == 1
        assert index.store.forget_folder(str(photos / "none")) == 0
    assert index.store.folders() == {str(photos): ("/[[]more][*]", "/more")}
    assert index.update() == Report(unchanged=4)
    assert index.update([photos], ignore=["raw"]) == Report(unchanged=4)
    assert index.update([photos / "more"]) == Report(recognised=3)
    assert index.update() == Report(unchanged=7)
    with index.store.writing():
        assert index.store.forget_folder(str(photos)) == 7
    assert index.update([photos]).recognised == 8


def test_a_folder_without_files_in_the_index_can_be_kept_out(index: Index, photos: Path) -> None:
    (photos / "more").rename(photos.parent / "more")
    index.update([photos])
    (photos.parent / "more").rename(photos / "more")
    with index.store.writing():
        assert index.store.forget_folder(str(photos / "more")) == 0
    assert index.update() == Report(unchanged=3)


def test_patterns_are_replaced_and_forgotten_folders_are_not(index: Index, photos: Path) -> None:
    index.update([photos], ignore=["/raw"])
    with index.store.writing():
        index.store.forget_folder(str(photos / "more"))
    assert index.store.folders() == {str(photos): ("/raw", "/more")}
    index.update([photos], ignore=["*.tif"])
    assert index.store.folders() == {str(photos): ("*.tif", "/more")}
    index.update([photos], ignore=[""])
    assert index.store.folders() == {str(photos): ("/more",)}
    index.update([photos / "more"])
    assert index.store.folders() == {str(photos): (), str(photos / "more"): ()}


@pytest.mark.parametrize("name", ["raw", ".hidden", "@eaDir"])
def test_a_folder_that_is_left_out_of_another_one_can_be_added(index: Index, photos: Path, name: str) -> None:
    (photos / "more").rename(photos / name)
    assert index.update([photos], ignore=["raw"]).embedded == 3
    assert index.update([photos / name]).embedded == 3
    assert index.update() == Report(unchanged=6)
    assert index.update([photos]) == Report(unchanged=3)
    assert index.store.counts().files == 6


@pytest.mark.skipif(os.name == "nt", reason="links need a privilege")
def test_a_single_folder_and_a_single_pattern_are_no_letters(index: Index, photos: Path) -> None:
    raw = photos / "raw"
    raw.mkdir()
    shutil.copy(next(photos.glob("*.png")), raw)
    with pytest.raises(InputError, match="folders: found 5"):
        index.update(5)  # type: ignore[arg-type]
    before = index.update(str(photos), ignore="raw").embedded
    assert before == index.store.counts().pictures
    assert index.store.folders() == {str(photos): ("raw",)}
    assert index.update(photos).unchanged == before


def test_a_link_to_a_folder_can_be_added(index: Index, photos: Path) -> None:
    (photos / "more").rename(photos.parent / "elsewhere")
    (photos / "more").symlink_to(photos.parent / "elsewhere")
    assert index.update([photos]).embedded == 3
    assert index.update([photos / "more"]).embedded == 3
    assert index.update() == Report(unchanged=6)


def test_folders_within_each_other_are_looked_at_once(index: Index, photos: Path) -> None:
    assert index.update([photos / "more", photos]).embedded == 6
    assert index.update() == Report(unchanged=6)
    assert {Path(str(m.path)).parent.name for m in index.search("x", 10, where=Where(str(photos / "more")))} == {"more"}


@pytest.mark.parametrize("name", ["photos", "pho", "photos0", "photos.old"])
def test_a_folder_is_no_beginning_of_a_name(index: Index, photos: Path, name: str) -> None:
    other = photos.with_name(name)
    if other != photos:
        shutil.copytree(photos / "more", other)
    index.update([photos, other])
    found = index.search("a bird", 10, where=Where(str(other)))
    assert len(found) == (6 if other == photos else 3)


def test_a_filter_that_most_pictures_pass_finds_the_same(
    index: Index, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.update([photos])
    where = Where(folder=str(photos / "more"))
    found = [match.path for match in index.search("a bird", 2, where=where)]
    monkeypatch.setattr(memory_mapped, "_FEW", 1)
    assert [match.path for match in index.search("a bird", 2, where=where)] == found
    assert len(index.search("a bird", 5, where=where)) == 3


def test_dates_are_those_of_exif_else_of_the_file(index: Index, photos: Path) -> None:
    exif = Image.Exif()
    exif[0x0132] = "2011:05:01 12:00:00"
    Image.new("RGB", (9, 9), "red").save(photos / "old.jpg", exif=exif)
    for path in photos.rglob("*.png"):
        os.utime(path, (1_600_000_000, 1_600_000_000))  # in 2020
    index.update([photos])
    assert {Path(str(m.path)).name for m in index.search("a bird", 10, where=Where(before="2012"))} == {"old.jpg"}
    assert len(index.search("a bird", 10, where=Where(after="2020-01"))) == 6
    assert len(index.search("a bird", 10, where=Where(after="2011-05-01", before="2011-05-02"))) == 1


def test_two_cannot_write_at_once(index: Index, photos: Path, tiny: CLIP, place: str) -> None:
    with Index(place, tiny) as other:
        with index.store.writing(), pytest.raises(StoreError, match="another process is writing"):
            other.update([photos])
        assert other.update([photos]).embedded == 6


def test_a_reader_sees_whole_batches_while_another_writes(index: Index, photos: Path, tiny: CLIP, place: str) -> None:
    seen = []
    with Index(place, tiny) as reader:

        def watch(files):  # type: ignore[no-untyped-def]
            for file in files:
                seen.append(len(reader.search(tiny.embed_texts("a bird")[0], 10)))
                yield file

        index.update([photos], batch_size=2, progress=watch)
        assert set(seen) <= {0, 2, 4}
        assert len(set(seen)) > 1
        assert len(reader.search("a bird")) == 6


def test_embeddings_of_another_model_are_refused(index: Index, photos: Path, place: str) -> None:
    index.update([photos])
    with np.load(Path(numpyclip.__file__).parent / "data" / "tiny.npz") as data:
        arrays = {name: data[name] for name in data.files}
    arrays["text_projection"] = arrays["text_projection"] * np.float32(0.5)
    np.savez(photos / "other.npz", **arrays)
    other, _ = numpyclip.load(str(photos / "other.npz"), activation="quick_gelu")
    with pytest.raises(InputError, match=r"embeddings of another model \(weights: .*--migrate"):
        Index(place, other)


def test_wrong_folders_are_named(index: Index, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("…")
    with pytest.raises(InputError, match="is no folder"):
        index.update([tmp_path / "thesis.txt"])
    with pytest.raises(InputError, match="knows no folders yet"):
        index.update()


def test_what_is_gone_is_dropped_by_compacting(index: Index, photos: Path, place: str) -> None:
    index.update([photos])
    index.add_texts(["a bird"])
    kept, gone, *_ = sorted(photos.glob("*.png"))
    data = gone.read_bytes()
    gone.unlink()
    index.update()
    before = index.search(str(kept), 10)
    with index.store.writing():
        assert index.store.compact() == 1
        assert index.store.compact() == 0
    after = index.search(str(kept), 10)
    assert [m.path for m in after] == [m.path for m in before]
    np.testing.assert_array_equal([m.embedding for m in after], [m.embedding for m in before])
    assert len(index.search("a bird", modality="texts")) == 1
    gone.write_bytes(data)
    assert index.update() == Report(unchanged=5, embedded=1)
    if not place.startswith("postgresql"):
        (shard,) = Path(place).glob("pictures-*/*.float32")
        assert shard.stat().st_size == 6 * 128 * 4


def test_texts_are_found_by_pictures(index: Index, bird: Path) -> None:
    assert index.add_texts(["a bird", "a house", "a bird"]) == 2
    assert index.add_texts(["a bird", "a dog"]) == 1
    assert index.add_texts("a cat") == 1  # not five letters
    found = index.search(str(bird), modality="texts")
    assert found[0].text == "a bird"
    assert found[0].to_dict().keys() == {"text", "cosine", "id"}
    assert index.search("a bird") == []
