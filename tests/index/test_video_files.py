"""Videos in an index: moments that are found, and what becomes of videos that cannot be read."""

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.errors import InputError
from numpyclip.images.decode_options import DecodeOptions
from numpyclip.index import Index, update
from numpyclip.index.scope import Scope
from numpyclip.index.video_files import new_video
from numpyclip.tasks.query import Query, Term
from numpyclip.videos.video_options import VideoOptions
from tests.images.test_live_photo import ONE
from tests.images.test_live_photo import picture as live_photo_picture
from tests.videos.made_videos import RED, scenes, write_video

pytest.importorskip("av", reason="the extra numpyclip[video] is not installed")


@pytest.fixture(autouse=True)
def _word_lists_are_embedded_once(shared_cache: None) -> None: ...


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory, emoji: dict[str, Image.Image]) -> bytes:
    """A video of a bird for six seconds, and then a house."""
    images = {name: np.asarray(emoji[name].resize((128, 128))) for name in ("bird", "house")}
    shown = [(n / 2, images["bird" if n < 12 else "house"]) for n in range(20)]
    return write_video(tmp_path_factory.mktemp("clip") / "clip.mp4", shown, gop=4, crf="1").read_bytes()


@pytest.fixture
def videos(tmp_path: Path, clip: bytes, emoji: dict[str, Image.Image]) -> Path:
    """A folder with a video, a picture, and a broken video."""
    folder = tmp_path / "videos"
    folder.mkdir()
    (folder / "clip.mp4").write_bytes(clip)
    emoji["camera"].save(folder / "camera.png")
    (folder / "broken.mp4").write_bytes(b"no video")
    return folder


@pytest.fixture
def made(tmp_path: Path, videos: Path, tiny: CLIP) -> Index:
    index = Index(tmp_path / "index", tiny, create=True)
    report = index.update([videos])
    assert (report.embedded, report.unreadable, report.left_out) == (2, 1, {})
    return index


def test_an_update_that_must_not_take_long_leaves_videos(tmp_path: Path, videos: Path, tiny: CLIP) -> None:
    with Index(tmp_path / "index", tiny, create=True) as index:
        report = index.update([videos], scope=Scope(videos=False))
        assert (report.embedded, sorted(report.waiting)) == (
            1,
            [str(videos / f"{name}.mp4") for name in ("broken", "clip")],
        )
        report = index.update()
        assert (report.embedded, report.unreadable, report.unchanged, report.waiting) == (1, 1, 1, [])


def test_a_search_gives_the_video_with_its_best_moment(made: Index, videos: Path) -> None:
    house, bird = made.search("a house", 5), made.search("a bird", 5)
    clip = str(videos / "clip.mp4")
    assert [match.path for match in house] == [clip, str(videos / "camera.png")]  # once
    assert house[0].seconds is not None
    assert house[0].seconds >= 6
    assert bird[0].path == clip
    assert bird[0].seconds is not None
    assert bird[0].seconds < 6
    assert bird[1].seconds is None
    assert house[0].to_dict()["seconds"] == house[0].seconds
    assert house[0].exif is not None
    assert (house[0].exif.width, house[0].exif.height) == (128, 128)
    near = made.search(Query((Term(f"{clip}@7", is_picture=True),)), 1)
    assert (near[0].seconds, near[0].cosine > 0.99) == (house[0].seconds, True)
    by_views = Query((Term(f"{clip}@7", is_picture=True),), views=("crop", "pad")).embed_views(made.model)
    np.testing.assert_allclose(by_views, near[0].embedding[np.newaxis], atol=0.05)  # of a square, there is one
    with pytest.raises(InputError, match=r"clip\.mp4: is a video; expected a moment of it, in seconds, such as"):
        Query((Term(clip, is_picture=True),), views=("pad",)).embed_views(made.model)


def test_broken_videos_are_problems_and_moved_ones_are_recognised(made: Index, videos: Path) -> None:
    ((path, problem),) = made.store.problems()
    assert (Path(path).name, problem[:36]) == ("broken.mp4", "cannot be read as a video (Invalid d")
    assert made.update().unchanged == 3
    (videos / "clip.mp4").rename(videos / "moved.mp4")
    report = made.update()
    assert (report.recognised, report.forgotten, report.embedded) == (1, 1, 0)
    assert Path(str(made.search("a house", 1)[0].path)).name == "moved.mp4"


def test_without_the_package_videos_stay_and_new_ones_are_counted(
    made: Index, videos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(update, "can_read_videos", lambda: False)
    monkeypatch.setitem(sys.modules, "av", None)
    (videos / "new.mov").write_bytes(b"")
    report = made.update()
    assert (report.forgotten, report.embedded, report.left_out) == (0, 0, {".mp4": 1, ".mov": 1})
    assert made.search("a house", 1)[0].seconds is not None


def test_a_migration_embeds_the_moments_again(made: Index, videos: Path, tiny: CLIP) -> None:
    from numpyclip.index.migrate import migrate
    from numpyclip.loader import load

    with pytest.warns(UserWarning):
        other, _ = load("tiny", truncate_dim=64)
    with made.store.writing():
        assert sum(migrate(made.store, other)) == 2
    (match,) = Index(made.store, other).search("a house", 1)
    assert match.seconds is not None
    assert match.seconds >= 6
    assert len(match.embedding) == 64


def test_a_migration_has_the_limits_of_an_update(made: Index, videos: Path) -> None:
    from numpyclip.index.migrate import migrate
    from numpyclip.loader import load

    with pytest.warns(UserWarning):
        other, _ = load("tiny", truncate_dim=64)
    told: list[str] = []
    with made.store.writing():
        list(migrate(made.store, other, options=DecodeOptions(max_pixels=4096), report=told.append))
    assert any("clip.mp4" in problem and "pixels" in problem for problem in told)


def test_parts_are_seconds(videos: Path, tiny: CLIP) -> None:
    found = new_video(tiny, str(videos / "clip.mp4"), VideoOptions(), 2)
    assert next(iter(found.embeddings)) == "0"
    assert all(float(part) < 10 for part in found.embeddings)
    assert found.exif.duration == pytest.approx(10, abs=0.6)


def test_a_live_photo_is_one_item_also_if_a_part_of_it_comes_later(tmp_path: Path, tiny: CLIP) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    photo, video = folder / "IMG_1.JPG", folder / "IMG_1.MOV"
    index = Index(tmp_path / "index", tiny, create=True)

    def paths() -> list[str]:
        return sorted(Path(str(match.path)).name for match in index.search("a house", 9))

    video.write_bytes(live_photo_video(tmp_path))
    assert index.update([folder]).embedded == 1
    photo.write_bytes(live_photo_picture(ONE))
    report = index.update(scope=Scope(frozenset([str(photo), str(video)])))
    assert (report.embedded, report.forgotten, paths()) == (1, 1, ["IMG_1.JPG"])
    report = index.update(scope=Scope(frozenset([str(video)])))
    assert (report.embedded, report.forgotten, report.left_out) == (0, 0, {"video of a Live Photo": 1})
    assert index.update().unchanged == 1
    photo.unlink()
    report = index.update()
    assert (report.recognised, report.forgotten, paths()) == (1, 1, ["IMG_1.MOV"])
    photo.write_bytes(live_photo_picture(ONE))
    index.update()
    video.unlink()
    report = index.update()
    assert (report.unchanged, report.forgotten, paths()) == (1, 0, ["IMG_1.JPG"])


def live_photo_video(folder: Path) -> bytes:
    return write_video(
        folder / "live.mov", scenes((1, RED)), metadata={"com.apple.quicktime.content.identifier": ONE}
    ).read_bytes()
