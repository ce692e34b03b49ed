"""Views of the pictures in an index: what is recorded, added, removed and found."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import numpyclip
from numpyclip.batch import embed
from numpyclip.batch.run import Options
from numpyclip.dual_encoder.clip import CLIP
from numpyclip.errors import InputError
from numpyclip.images.decode_options import DRAFT
from numpyclip.index import Index, picture_views
from numpyclip.index.exporting import export_embeddings
from numpyclip.index.importing import import_embeddings
from numpyclip.index.migrate import migrate
from numpyclip.index.scope import Scope
from numpyclip.loader import TruncationWarning
from numpyclip.tasks.query import Query, Term

WIDE = {"", "pad", "squash", "left", "right"}


@pytest.fixture
def photos(tmp_path: Path, emoji: dict[str, Image.Image]) -> Path:
    """A bird at the left of a wide picture, a house at the bottom of a high one, and a square camera."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for name, size, place in (("bird", (3, 1), (0, 0)), ("house", (1, 3), (0, 2)), ("camera", (1, 1), (0, 0))):
        drawing = emoji[name].convert("RGB")
        side = drawing.width
        canvas = Image.new("RGB", (side * size[0], side * size[1]), "white")
        canvas.paste(drawing, (side * place[0], side * place[1]))
        canvas.save(folder / f"{name}.png")
    return folder


def parts(index: Index) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for match in index.store.everything("pictures"):
        found.setdefault(Path(match.path or "").stem, set()).add(match.part)
    return found


def test_an_index_has_the_crop_alone_unless_views_are_asked_for(index: Index, photos: Path) -> None:
    index.update([photos])
    assert index.store.views == ("crop",)
    assert parts(index) == {"bird": {""}, "house": {""}, "camera": {""}}


def test_a_search_finds_what_the_crop_cuts_off_and_says_where(index: Index, photos: Path) -> None:
    report = index.update([photos], views=["crop", "tiles"])
    assert report.embedded == 3
    for name, part in (("bird", "left"), ("house", "bottom")):
        (best, *others) = index.search(f"a {name}", n=3)
        assert (Path(best.path or "").stem, best.part) == (name, part)
        assert len({match.id for match in [best, *others]}) == 3  # nothing twice
    assert index.store.counts().pictures == 3
    (camera,) = index.search("a camera", n=1)
    assert (Path(camera.path or "").stem, camera.part) == ("camera", "")


def test_views_are_recorded_and_missing_ones_are_added_later(
    index: Index, photos: Path, emoji: dict[str, Image.Image]
) -> None:
    index.update([photos])
    before = {match.path: match.embedding for match in index.store.everything("pictures")}
    report = index.update(views="tiles")
    assert (report.completed, report.embedded, report.recognised) == (2, 0, 0)
    assert index.store.views == ("crop", "tiles")
    tiles = {"bird": {"", "left", "right"}, "house": {"", "top", "bottom"}, "camera": {""}}
    assert parts(index) == tiles
    wide = Image.new("RGB", (200, 100), "white")
    wide.save(photos / "new.png")
    report = index.update()
    assert (report.completed, report.embedded) == (0, 1)
    assert parts(index) == {**tiles, "new": {"", "left", "right"}}
    for match in index.store.everything("pictures"):
        if match.part == "" and match.path in before:
            np.testing.assert_array_equal(match.embedding, before[match.path])


def test_views_that_are_not_wanted_any_more_are_removed(index: Index, photos: Path) -> None:
    index.update([photos], views=["crop", "pad", "squash", "tiles"])
    assert parts(index) == {"bird": WIDE, "house": {"", "pad", "squash", "top", "bottom"}, "camera": {""}}
    assert index.update(views=["pad"]).completed == 0
    assert parts(index) == {"bird": {"", "pad"}, "house": {"", "pad"}, "camera": {""}}
    index.update(views="crop")
    assert parts(index) == {"bird": {""}, "house": {""}, "camera": {""}}


def test_what_an_interrupted_update_did_not_add_the_next_one_does(index: Index, photos: Path) -> None:
    index.update([photos])

    def interrupted(files: list[object]) -> object:
        yield files[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        index.update(views="tiles", batch_size=1, progress=interrupted)  # type: ignore[arg-type]
    assert sum(len(each) for each in parts(index).values()) in (3, 5)
    assert index.update().completed in (1, 2)
    assert parts(index)["bird"] == {"", "left", "right"}


def test_an_update_of_a_few_files_or_without_time_completes_no_others(
    index: Index, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.update([photos])
    monkeypatch.setattr(picture_views, "_PAGE", 1)
    over = iter([False, False, False, True])
    update = {"views": "tiles", "scope": Scope(frozenset([str(photos / "camera.png")]))}
    with monkeypatch.context() as patch:
        patch.setattr(picture_views.Viewing, "lacking", None)  # it is not walked through
        assert index.update(**update).completed == 0  # type: ignore[arg-type]
    Image.new("RGB", (9, 9)).save(photos / "new.png")
    report = index.update(scope=Scope(is_over=lambda: next(over, True)))
    assert (report.embedded, report.completed) == (1, 0)  # what is new comes first
    assert index.update([photos], scope=Scope(frozenset([str(photos)]))).completed == 2


def test_a_picture_that_cannot_be_completed_stays(index: Index, photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index.update([photos])
    report = index.update(views="tiles", max_pixels=100)
    assert report.completed == 0 and len(report.problems) == 2
    assert parts(index) == {"bird": {""}, "house": {""}, "camera": {""}}
    (photos / "bird.png").unlink()
    (photos / "house.png").rename(photos / "moved.png")
    assert index.update().completed == 1
    assert parts(index) == {"moved": {"", "top", "bottom"}, "camera": {""}}


def test_another_model_has_the_same_views(index: Index, photos: Path) -> None:
    index.update([photos], views="tiles")
    before = parts(index)
    with pytest.warns(TruncationWarning):
        other, _ = numpyclip.load("tiny", truncate_dim=64)
    with index.store.writing():
        list(migrate(index.store, other))
    assert parts(index) == before
    with Index(index.store, other) as migrated:
        (best,) = migrated.search("a bird", n=1)
    np.testing.assert_allclose(best.embedding, other.embed_images(str(best.path), views="tiles")[1], atol=1e-6)


def test_a_query_has_views_of_its_image(index: Index, photos: Path, tiny: CLIP) -> None:
    index.update([photos], views="tiles")
    place = str(photos / "bird.png")
    term = Term(place, is_picture=True)
    embeddings = Query((term,), views=("crop", "tiles")).embed_views(tiny)
    np.testing.assert_allclose(embeddings, tiny.embed_images(place, draft=True, views=["crop", "tiles"]), atol=1e-6)
    found = {match.path: match.cosine for match in index.search(Query((term,), DRAFT, ("crop", "tiles")), n=3)}
    assert len(found) == 3  # each once
    assert found[place] == pytest.approx(1, abs=1e-3)
    with pytest.raises(InputError, match=r"has 2 images; views are those of one"):
        index.search(Query((term, term), views=("tiles",)))
    one = Query((term,)).embed_views(tiny)
    np.testing.assert_array_equal(one[0], Query((term,)).embed(tiny))


def test_views_are_exported_and_imported(index: Index, photos: Path, tiny: CLIP, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="needs pyarrow")
    index.update([photos], views="tiles")
    export_embeddings(index.store, tmp_path / "out")
    with Index(tmp_path / "other", tiny, create=True) as other:
        assert import_embeddings(other, tmp_path / "out") == 3
        assert parts(other) == parts(index)
        assert import_embeddings(other, tmp_path / "out") == 0
        (best,) = other.search("a bird", n=1)
        assert (Path(best.path or "").stem, best.part) == ("bird", "left")


def test_a_view_alone_is_imported_as_such_and_completed_later(
    index: Index, photos: Path, tiny: CLIP, tmp_path: Path
) -> None:
    pytest.importorskip("pyarrow", reason="needs pyarrow")
    shutil.copy(photos / "bird.png", photos / "copy.png")
    out = f"{tmp_path}/out"
    embed([str(photos)], out, model="tiny", options=Options(views=("pad",)))
    assert import_embeddings(index, out) == 3
    assert import_embeddings(index, out) == 0
    assert parts(index) == {"bird": {"pad"}, "house": {"pad"}, "camera": {""}}  # a square is its own crop
    (bird,) = (match for match in index.search("a bird") if "bird.png" in str(match.path))
    assert (bird.part, bird.copies) == ("pad", (str(photos / "copy.png"),))
    assert index.update([photos], views="pad").completed == 2
    assert parts(index)["bird"] == {"", "pad"}


def test_another_model_has_views_that_were_imported(index: Index, photos: Path, tiny: CLIP, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="needs pyarrow")
    index.update([photos], views="tiles")
    export_embeddings(index.store, tmp_path / "out")
    with Index(tmp_path / "other", tiny, create=True) as other:
        import_embeddings(other, tmp_path / "out")
        with pytest.warns(TruncationWarning):
            shorter, _ = numpyclip.load("tiny", truncate_dim=64)
        with other.store.writing():
            list(migrate(other.store, shorter))
        assert parts(other) == parts(index)
