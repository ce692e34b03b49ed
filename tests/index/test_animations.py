"""Animated images in an index, by their first frame, or by their moments."""

import io
from pathlib import Path

import pytest
from PIL import Image

from numpyclip.cli import main
from numpyclip.dual_encoder.clip import CLIP
from numpyclip.images.decode_options import DecodeOptions
from numpyclip.index import Index
from numpyclip.index.migrate import migrate
from numpyclip.loader import load
from numpyclip.viz.thumbnail import thumbnail_bytes


@pytest.fixture
def folder(tmp_path: Path, emoji: dict[str, Image.Image]) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    bird, house = (emoji[name].convert("RGB") for name in ("bird", "house"))
    bird.save(folder / "a.gif", save_all=True, append_images=[bird, house, house], duration=1000)
    emoji["camera"].save(folder / "camera.png")
    return folder


def test_by_default_the_first_frame_is_what_there_is(tmp_path: Path, folder: Path, tiny: CLIP) -> None:
    index = Index(tmp_path / "index", tiny, create=True)
    index.update([folder])
    assert [(match.part, match.seconds) for match in index.search("a house", 9)] == [("", None)] * 2


def test_moments_if_they_are_asked_for(tmp_path: Path, folder: Path, tiny: CLIP) -> None:
    index = Index(tmp_path / "index", tiny, create=True)
    assert index.update([folder], animations=True).embedded == 2
    house, camera = index.search("a house", 9)
    assert (Path(str(house.path)).name, house.seconds, camera.seconds) == ("a.gif", 2.0, None)
    assert index.search("a bird", 1)[0].seconds == 0
    (folder / "b.gif").write_bytes((folder / "a.gif").read_bytes() + b"\0")
    assert index.update(views=["crop", "pad"]).embedded == 1  # as before, and no views are missing of them
    assert index.search("a house", 2)[1].seconds == 2.0
    with pytest.warns(UserWarning):
        other, _ = load("tiny", truncate_dim=64)
    with index.store.writing():
        assert sum(migrate(index.store, other)) == 3
    assert Index(index.store, other).search("a house", 1)[0].seconds == 2.0


def test_those_that_are_there_by_their_first_frame_get_its_views(tmp_path: Path, folder: Path, tiny: CLIP) -> None:
    with Image.open(folder / "a.gif") as image:
        wide = [image.convert("RGB").resize((128, 32)), Image.new("RGB", (128, 32), "blue")]
    wide[0].save(folder / "wide.gif", save_all=True, append_images=wide[1:], duration=1000)
    index = Index(tmp_path / "index", tiny, create=True)
    index.update([folder])
    assert index.update(animations=True, views=["crop", "pad"]).completed == 1
    assert index.update().recognised == 0
    assert {match.seconds for match in index.search("a house", 9)} == {None}


def test_a_thumbnail_is_that_of_the_moment(folder: Path) -> None:
    options = DecodeOptions()
    first, bird, house = (thumbnail_bytes(str(folder / "a.gif"), 64, options, at) for at in (None, 0.0, 2.0))
    mean = [sum(Image.open(io.BytesIO(data)).convert("L").tobytes()) for data in (first, bird, house)]
    assert abs(mean[0] - mean[1]) < 64 * 64 < abs(mean[0] - mean[2])


def test_the_command(tmp_path: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    place = ["--store", str(tmp_path / "index")]
    assert main(["index", str(folder), "--model", "tiny", "--animations", *place]) == 0
    capsys.readouterr()
    assert main(["search", "a house", "-n", "1", "--json", *place]) == 0
    assert '"seconds": 2.0' in capsys.readouterr().out
    assert main(["index", "--list", "--animations", *place]) == 2
    assert "--animations: is for images in folders" in capsys.readouterr().err
