import threading
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.errors import PictureError
from numpyclip.images.decode_options import DEFAULTS, DecodeOptions
from numpyclip.images.exif import Exif
from numpyclip.index.index import Index
from numpyclip.server.image_files import thumbnails
from numpyclip.server.image_files.thumbnails import ThumbnailCache
from numpyclip.videos.video_options import VideoOptions
from numpyclip.viz.thumbnail import thumbnail_bytes
from tests.index.filled import made_index
from tests.picture_files import encoded
from tests.server.conftest import Client, Png, Serve
from tests.videos.made_videos import GREEN, RED, scenes, write_video


def opened(data: bytes) -> Image.Image:
    return Image.open(BytesIO(data))


def test_nothing_is_left_but_pixels(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010E] = "secret"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    image = Image.new("RGB", (50, 40), "blue")
    image.save(tmp_path / "a.jpg", exif=exif, icc_profile=profile, comment=b"secret", dpi=(300, 300))
    small = opened(thumbnail_bytes(str(tmp_path / "a.jpg"), 320, DEFAULTS))
    assert (small.format, small.size) == ("JPEG", (50, 40))  # a small picture stays small
    assert set(small.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "1", "L", "I;16", "CMYK", "F"])
def test_any_mode_can_be_shown(tmp_path: Path, mode: str) -> None:
    Image.new(mode, (500, 10)).save(tmp_path / "a.tif")
    assert opened(thumbnail_bytes(str(tmp_path / "a.tif"), 320, DEFAULTS)).size == (320, 6)


def test_what_was_drawn_is_kept_until_there_is_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in "abc":
        Image.new("RGB", (20, 20)).save(tmp_path / f"{name}.png")
    size = len(thumbnail_bytes(str(tmp_path / "a.png"), 320, DEFAULTS))
    monkeypatch.setattr(thumbnails, "_MAX_BYTES", 2 * size)
    kept = ThumbnailCache(DEFAULTS)
    for name in "abac":
        kept.get(str(tmp_path / f"{name}.png"), 320, "1")
    drawn: list[str] = []

    def draw(path: str, side: int, options: DecodeOptions, seconds: float | None) -> bytes:
        drawn.append(Path(path).stem)
        return b""

    monkeypatch.setattr(thumbnails, "thumbnail_bytes", draw)
    for name in "acb":
        kept.get(str(tmp_path / f"{name}.png"), 320, "1")
    assert drawn == ["b"]  # which was asked for longest ago
    kept.get(str(tmp_path / "a.png"), 320, "2")
    assert drawn == ["b", "a"]  # another version


def test_what_has_too_many_pixels_is_not_drawn(tmp_path: Path) -> None:
    Image.new("RGB", (20, 20)).save(tmp_path / "a.png")
    few = DecodeOptions(max_pixels=399)
    with pytest.raises(PictureError, match="400"):
        ThumbnailCache(few).get(str(tmp_path / "a.png"), 320, "1")


def test_the_limits_of_a_server_hold_for_what_it_shows(serve: Serve) -> None:
    answer = serve(max_pixels=10).get("/thumbnails/1")
    assert (answer.status, "expected at most 10." in answer.message) == (400, True)


def test_other_thumbnails_do_not_wait_for_videos(
    serve: Serve, tmp_path: Path, tiny: CLIP, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [tmp_path / "a.mp4", tmp_path / "b.jpg"]
    for path in paths:
        path.touch()
    embeddings = zip(paths, tiny.embed_texts(["a", "b"]), strict=True)
    pictures = {str(path): (Exif(4, 3), {"": embedding}) for path, embedding in embeddings}
    client = serve(store=made_index(str(tmp_path / "index"), tiny, pictures))
    number = {match["name"]: match["id"] for match in client.get("/search").json["matches"]}
    begun, end, at_once = threading.Semaphore(0), threading.Event(), [0, 0]  # now, and at most

    def draw(path: str, *_: object) -> bytes:
        if path.endswith(".mp4"):
            at_once[0] += 1
            at_once[1] = max(at_once)
            begun.release()
            end.wait()
            at_once[0] -= 1
        return b"x"

    monkeypatch.setattr(thumbnails, "thumbnail_bytes", draw)
    with ThreadPoolExecutor(40) as pool:
        videos = [pool.submit(client.get, f"/thumbnails/{number['a.mp4']}?t={second}") for second in range(40)]
        begun.acquire()
        begun.acquire()
        try:
            picture = client.get(f"/thumbnails/{number['b.jpg']}")
        finally:
            end.set()
        assert picture.status == 200
        assert [video.result().status for video in videos] == [200] * 40
    assert at_once == [0, 2]


def test_a_frame_is_looked_for_for_some_seconds_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def frame_at(path: str, seconds: float, side: int, options: VideoOptions) -> Image.Image:
        assert options.max_seconds <= 10
        return Image.new("RGB", (8, 8))

    monkeypatch.setattr("numpyclip.viz.thumbnail.frame_at", frame_at)
    assert opened(thumbnail_bytes(str(tmp_path / "a.mp4"), 320, DEFAULTS, 7.0)).size == (8, 8)


def test_a_video_is_shown_at_its_moment(serve: Serve, tmp_path: Path, tiny: CLIP) -> None:
    pytest.importorskip("av", reason="the extra numpyclip[video] is not installed")
    (tmp_path / "videos").mkdir()
    write_video(tmp_path / "videos" / "a.mp4", scenes((4, RED), (4, GREEN)), gop=5)
    with Index(tmp_path / "index", tiny, create=True) as index:
        index.update([tmp_path / "videos"])
    client = serve(store=str(tmp_path / "index"))
    (match,) = client.get("/search?q=green").json["matches"]
    assert match["thumbnail"].endswith(f"&t={match['part']}")
    row = f"/thumbnails/{match['id']}"
    for moment, colour in (("?t=1", RED), ("?t=7.5", GREEN), ("", RED)):
        answer = client.get(row + moment)
        assert np.abs(np.array(opened(answer.body).getpixel((40, 30))) - colour).max() < 20, moment
    assert client.get(f"{row}?t=1").headers["ETag"] != client.get(f"{row}?t=7.5").headers["ETag"]
    for wrong in ("-1", "x", "pad", "1e400"):
        assert "expected seconds of a video" in client.get(f"{row}?t={wrong}").message


def test_thumbnails_are_drawn_anew(client: Client, drawings: Path) -> None:
    (match,) = [m for m in client.get("/search?q=a+bird").json["matches"] if m["name"] == "bird.jpg"]
    answer = client.get("/" + match["thumbnail"])
    assert (answer.status, answer.headers["Content-Type"]) == (200, "image/jpeg")
    assert b"a secret of the owner" in (drawings / "bird.jpg").read_bytes()
    assert b"a secret of the owner" not in answer.body
    assert not Image.open(BytesIO(answer.body)).getexif()
    again = client.get("/" + match["thumbnail"], If_None_Match=answer.headers["ETag"])
    assert (again.status, again.body) == (304, b"")
    assert client.get(f"/thumbnails/{match['id']}?side=1600").status == 200
    assert client.get(f"/thumbnails/{match['id']}?side=7").status == 400


def test_there_is_no_way_to_a_file_but_the_index(client: Client, drawings: Path) -> None:
    for path in (
        "/thumbnails/../../etc/passwd",
        "/thumbnails/%2e%2e%2fetc%2fpasswd",
        f"/thumbnails/{drawings / 'bird.jpg'}",
        "/thumbnails/99999",
        f"/thumbnails/{10**40}",
        "/thumbnails/" + "9" * 5000,
        "/thumbnails/0",
        "/thumbnails/-1",
    ):
        assert client.get(path).status == 404, path


def test_a_picture_that_has_gone_has_no_thumbnail(serve: Serve, tiny: CLIP, tmp_path: Path, png: Png) -> None:
    picture = tmp_path / "photos" / "bird.png"
    picture.parent.mkdir()
    picture.write_bytes(png("bird"))
    with Index(tmp_path / "store", tiny, create=True) as index:
        index.update([picture.parent])
    client = serve(store=str(tmp_path / "store"))
    (match,) = client.get("/search?q=a").json["matches"]
    picture.unlink()
    answer = client.get("/" + match["thumbnail"])
    assert (answer.status, "bird.png: cannot be read" in answer.message) == (400, True)


def test_a_thumbnail_of_what_is_sent(client: Client, png: Png) -> None:
    answer = client.form("/thumbnail", [("image", png("cookie"))])
    assert (answer.status, Image.open(BytesIO(answer.body)).size) == (200, (64, 64))
    for images in ([], ["x"], [b"x"], [png("bird"), png("bird")]):
        assert client.form("/thumbnail", [("image", image) for image in images]).status == 400
    assert client.form("/thumbnail", [("image", encoded(Image.new("RGB", (1001, 1000)), "JPEG2000"))]).status == 400
