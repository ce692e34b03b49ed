import io
import struct
from pathlib import Path

import pytest
from PIL import Image

from numpyclip.images.live_photo import live_photo_videos

ONE, TWO = "0F4B7C1E-8D5A-4A0E-9C55-AA00BB11CC22", "1F4B7C1E-8D5A-4A0E-9C55-AA00BB11CC22"


def picture(identifier: str | None) -> bytes:
    """Encode a JPEG with a maker note as Apple writes it."""
    exif = Image.Exif()
    if identifier is not None:
        value = identifier.encode() + b"\0"
        note = (
            b"Apple iOS\0\0\1MM"
            + struct.pack(">H", 1)
            + struct.pack(">HHLL", 0x11, 2, len(value), 32)
            + bytes(4)
            + value
        )
        exif[0x8769] = {0x927C: note}
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "JPEG", exif=exif)
    return file.getvalue()


def box(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">L", 8 + len(content)) + kind + content


def video(identifier: str | None, *, version: bytes = b"", behind: bool = True) -> bytes:
    names = [b"com.apple.quicktime.make", *([b"com.apple.quicktime.content.identifier"] if identifier else [])]
    keys = bytes(4) + struct.pack(">L", len(names)) + b"".join(box(b"mdta", name) for name in names)
    values = b"".join(
        box(struct.pack(">L", number), box(b"data", struct.pack(">LL", 1, 0) + value.encode()))
        for number, value in enumerate(["Apple", *([identifier] if identifier else [])], start=1)
    )
    meta = version + box(b"hdlr", bytes(24)) + box(b"keys", keys) + box(b"ilst", values)
    moov = box(b"moov", box(b"mvhd", bytes(100)) + box(b"trak", b"") + box(b"meta", meta))
    media = struct.pack(">L4sQ", 1, b"mdat", 16 + 1000) + bytes(1000)
    return box(b"ftyp", b"qt  ") + (media + moov if behind else moov + media)


@pytest.fixture
def album(tmp_path: Path) -> Path:
    for name, content in {
        "IMG_1.JPG": picture(ONE),
        "img_1.mov": video(ONE),
        "IMG_2.JPG": picture(TWO),
        "IMG_2.MOV": video(TWO, version=bytes(4), behind=False),
        "IMG_3.JPG": picture(ONE),
        "IMG_3.MOV": video(TWO),  # of another picture
        "IMG_4.JPG": picture(None),
        "IMG_4.MOV": video(ONE),
        "IMG_5.JPG": picture(ONE),
        "IMG_5.MOV": video(None),
        "IMG_6.MOV": video(ONE),
        "IMG_7.JPG": b"no picture",
        "IMG_7.MOV": b"no video",
        "IMG_8.JPG": picture(ONE),
        "IMG_8.MOV": b"",
    }.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


def test_a_video_belongs_to_the_picture_of_its_stem_and_content_identifier(album: Path) -> None:
    names = sorted(path.name for path in album.iterdir())
    assert live_photo_videos(str(album), names, names) == {"img_1.mov", "IMG_2.MOV"}
    names = ["IMG_1.JPG", "gone.mov", "img_1.mov", "gone.jpg"]
    assert live_photo_videos(str(album), names, names) == {"img_1.mov"}
    assert live_photo_videos(str(album), ["IMG_2.MOV"], ["IMG_1.JPG", "IMG_2.JPG", "IMG_2.MOV"]) == {"IMG_2.MOV"}
    assert live_photo_videos(str(album), ["IMG_2.MOV", "IMG_2.JPG"], []) == set()


def test_exif_data_is_found_wherever_it_is(album: Path) -> None:
    (album / "IMG_1.HEIC").write_bytes(bytes(200_000) + (album / "IMG_1.JPG").read_bytes())
    assert live_photo_videos(str(album), ["img_1.mov"], ["IMG_1.HEIC"]) == {"img_1.mov"}


def test_hostile_videos_end(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(picture(ONE))
    good = video(ONE)
    for content in (
        *(good[:size] for size in range(0, len(good), 7)),
        struct.pack(">L4sQ", 1, b"mdat", 0),
        struct.pack(">L4sQ", 1, b"moov", 1 << 63),
        struct.pack(">L4s", 8, b"free") * 5000,
        box(b"moov", struct.pack(">L4s", 8, b"meta") * 5000),
        box(b"moov", box(b"meta", box(b"keys", bytes(8) + struct.pack(">L4s", 8, b"mdta") * 5000))),
    ):
        (tmp_path / "a.mov").write_bytes(content)
        assert live_photo_videos(str(tmp_path), ["a.mov"], ["a.jpg"]) == set()
