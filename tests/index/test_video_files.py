"""Videos in an index: moments that are found, and what becomes of videos that cannot be read."""

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.index import Index, update
from numpyclip.index.scope import Scope
from numpyclip.index.video_files import new_video
from numpyclip.tasks.query import Query, Term
from numpyclip.videos.video_options import VideoOptions
from tests.videos.made_videos import write_video

pytest.importorskip("av", reason="the extra numpyclip[video] is not installed")


@pytest.fixture(autouse=True)
def _word_lists_are_embedded_once(shared_cache: None) -> None: ...


@pytest.fixture
def videos(tmp_path: Path, emoji: dict[str, Image.Image]) -> Path:
    """A folder with a video of a bird for six seconds, and then a house; a picture; and a broken video."""
    folder = tmp_path / "videos"
    folder.mkdir()
    images = {name: np.asarray(emoji[name].resize((256, 256))) for name in ("bird", "house")}
    shown = [(n / 2, images["bird" if n < 12 else "house"]) for n in range(20)]
    write_video(folder / "clip.mp4", shown, gop=4, crf="1")
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
    assert (house[0].exif.width, house[0].exif.height) == (256, 256)
    near = made.search(Query((Term(f"{clip}@7", is_picture=True),)), 1)
    assert (near[0].seconds, near[0].cosine > 0.99) == (house[0].seconds, True)


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


def test_parts_are_seconds(videos: Path, tiny: CLIP) -> None:
    found = new_video(tiny, str(videos / "clip.mp4"), VideoOptions(), 2)
    assert next(iter(found.embeddings)) == "0"
    assert all(float(part) < 10 for part in found.embeddings)
    assert found.exif.duration == pytest.approx(10, abs=0.6)
