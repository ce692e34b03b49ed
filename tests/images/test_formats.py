"""One list of formats at every door, no program that is started, and nothing but regular files."""

import functools
import io
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image

import numpyclip
from numpyclip.cli import main
from numpyclip.dual_encoder.clip import CLIP
from numpyclip.errors import PictureError
from numpyclip.images.formats import identify
from numpyclip.images.open import open_picture
from numpyclip.tasks.duplicates import find_duplicates
from numpyclip.viz.contact_sheet import contact_sheets
from numpyclip.viz.embedding_map import thumbnail_uri
from numpyclip.viz.thumbnail import read_thumbnail

SOURCE = Path(numpyclip.__file__).parent


def saved(form: str) -> bytes:
    file = io.BytesIO()
    Image.new("L", (8, 8)).save(file, form)
    return file.getvalue()


WMF = struct.pack("<IHhhhhHIH", 0x9AC6CDD7, 0, 0, 0, 8, 8, 72, 0, 0) + b"\x01\0\t\0" + bytes(40)
PCD = b"\xff" * 2048 + b"PCD_IPI" + bytes(100_000)
REFUSED = {
    "eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\n(%pipe%touch x) (w) file\nshowpage\n",
    "eps of DOS": b"\xc5\xd0\xd3\xc6"
    + struct.pack("<IIIIIIH", 30, 40, 0, 0, 0, 0, 0xFFFF)
    + b"%!PS-Adobe-3.0 EPSF-3.0\n",
    "ps": b"%!PS\nshowpage\n",
    "pdf": b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n",
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
    "mvg": b"push graphic-context\nimage over 0,0 0,0 'file:///etc/passwd'\npop graphic-context\n",
    "wmf": WMF,
    "emf": b"\x01\0\0\0" + bytes(36) + b" EMF" + bytes(60),
    "fits": b"SIMPLE  =                    T".ljust(80) + b"END".ljust(2800),
    "grib": b"GRIB" + bytes(3) + b"\x01" + bytes(100),
    "bufr": b"BUFR" + bytes(100),
    "hdf5": b"\x89HDF\r\n\x1a\n" + bytes(100),
    "pcd": PCD,
    "fli": struct.pack("<IHHHHHH", 128, 0xAF11, 1, 8, 8, 8, 3) + bytes(112),
    "fpx": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504),
    "psd": b"8BPS\0\x01" + bytes(6) + struct.pack(">HIIHH", 3, 8, 8, 8, 3) + bytes(400),
    "xpm": b'/* XPM */\nstatic char *a[] = {\n"1 1 1 1",\n"a c #ff0000",\n"a"\n};\n',
    "dds": b"DDS " + struct.pack("<I", 124) + bytes(120),
    "im": b"Image type: Greyscale image\r\nImage size (x*y): 8*8\r\n".ljust(511, b"\0") + b"\x1a" + bytes(64),
    "msp": b"DanM" + struct.pack("<HH", 8, 8) + bytes(24 + 8),
    "xbm": b"#define a_width 8\n#define a_height 8\nstatic char a_bits[] = {\n0,0,0,0,0,0,0,0};\n",
    **{form.lower(): saved(form) for form in ("PCX", "SGI", "PDF")},
    "qoi": b"qoif" + struct.pack(">IIBB", 8, 8, 3, 0) + b"\xc3" * 2,
}


@pytest.fixture
def nothing_is_started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Make every way to start a program, and a `gs` that is found, an error."""
    started: list[object] = []

    def start(*what: object, **_: object) -> None:
        started.append(what)
        raise AssertionError(f"{what} is started")

    for module, name in ((subprocess, "Popen"), (os, "system"), (os, "popen"), (os, "posix_spawn"), (os, "execv")):
        if hasattr(module, name):
            monkeypatch.setattr(module, name, start)
    for name in ("gs", "gswin32c", "convert", "xdg-open"):
        program = tmp_path / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/bin/sh\ntouch {tmp_path}/started\n")
        program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    yield
    assert not started
    assert not (tmp_path / "started").exists()


DOORS: dict[str, Callable[[str], object]] = {
    "open_picture": open_picture,
    "bytes": lambda path: open_picture(Path(path).read_bytes()),
    "file": lambda path: open_picture(io.BytesIO(Path(path).read_bytes())),
    "thumbnail": lambda path: read_thumbnail(path, 8),
    "map": thumbnail_uri,
    "duplicates": lambda path: find_duplicates(None, [path]),
}


@pytest.mark.usefixtures("nothing_is_started")
@pytest.mark.parametrize("name", REFUSED)
def test_only_formats_of_the_list_are_decoded_whatever_the_suffix(name: str, tmp_path: Path) -> None:
    for suffix in (".jpg", ".png", ".tif", ".eps"):
        path = tmp_path / f"named{suffix}"
        path.write_bytes(REFUSED[name])
        for door, opened in DOORS.items():
            with pytest.raises(PictureError, match=r"cannot be read as an image \("):
                opened(str(path))
                pytest.fail(f"{name} is opened by {door}")


@pytest.mark.usefixtures("nothing_is_started")
def test_no_command_decodes_another_format(
    tmp_path: Path, tiny: CLIP, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("numpyclip.loader.load", lambda *_, **__: (tiny, tiny.preprocess))
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("eps", "wmf", "pcd", "fits", "pdf"):
        (folder / f"{name}.jpg").write_bytes(REFUSED[name])
    for command in (["classify", "photos", "a", "b"], ["duplicates", "photos"], ["embed", "images", "photos"]):
        monkeypatch.chdir(tmp_path)
        assert main([*command, "-m", "tiny", "--no-index"]) in (2, 3)
        assert capsys.readouterr().err.count("(not in a supported format)") == 5
    assert main(["sheet", "photos", "-o", "sheet.png"]) == 2
    assert capsys.readouterr().err.count("(not in a supported format)") == 5
    with pytest.raises(PictureError, match="not in a supported format"):
        tiny.embed_images(folder / "eps.jpg")


def test_pillow_opens_files_in_one_place_only() -> None:
    calls = {
        path.relative_to(SOURCE).as_posix()
        for path in SOURCE.rglob("*.py")
        if re.search(r"\bImage\.open\(|ImageFile\.Parser|from PIL\.Image import open", path.read_text("utf-8"))
    }
    assert calls == {"images/formats.py"}


def test_all_of_the_list_are_known_to_pillow() -> None:
    Image.init()
    for form in ("JPEG", "PNG", "GIF", "BMP", "DIB", "PPM", "WEBP", "AVIF", "TIFF", "JPEG2000", "ICO", "TGA"):
        if form not in Image.SAVE:  # AVIF, before Pillow 11.3
            continue
        file = io.BytesIO()
        Image.new("RGB", (16, 16), "red").save(file, form)
        assert identify(file).format == form


def test_large_metadata_is_no_reason_to_refuse_a_file() -> None:
    """A panorama has some megabytes of it, and layers are larger; Pillow reads all."""
    image = Image.new("RGB", (16, 16), "red")
    image.save(file := io.BytesIO(), "JPEG")
    jpeg = file.getvalue()
    assert open_picture(jpeg[:2] + (b"\xff\xe1\xff\xff" + bytes(65533)) * 200 + jpeg[2:]).size == (16, 16)
    image.save(file := io.BytesIO(), "TIFF", tiffinfo={37724: bytes(20 << 20)})  # layers, as Photoshop writes them
    assert open_picture(file.getvalue()).size == (16, 16)


# Special files


@pytest.fixture
def special(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with a named pipe, a socket and links to devices, all of which are named as pictures are."""
    monkeypatch.chdir(tmp_path)  # the path of a socket has at most 100 letters
    os.mkfifo("pipe.jpg")
    for name in ("zero", "full", "random", "stdin"):
        Path(f"{name}.png").symlink_to(f"/dev/{name}")
    with socket.socket(socket.AF_UNIX) as unix:
        unix.bind("socket.webp")
        yield tmp_path


@pytest.mark.skipif(os.name == "nt", reason="there are no such files")
def test_special_files_are_refused_by_name_at_every_door(special: Path, tiny: CLIP) -> None:
    doors = {**DOORS, "embed_images": tiny.embed_images}
    for path in ("pipe.jpg", "zero.png", "full.png", "random.png", "socket.webp"):
        for name in ("open_picture", "thumbnail", "map", "duplicates", "embed_images"):
            with pytest.raises(
                PictureError, match=rf"^{path}: cannot be read as an image \(it is a .*; expected a regul"
            ):
                doors[name](path)
    errors: list[PictureError] = []
    list(contact_sheets([("pipe.jpg", ""), ("zero.png", "")], report=errors.append))
    assert len(errors) == 2


@pytest.mark.skipif(os.name == "nt", reason="there are no such files")
@pytest.mark.parametrize(
    ("command", "status"), [(["duplicates", "."], 1), (["classify", ".", "a", "b", "-m", "tiny"], 0)]
)
def test_special_files_in_folders_are_left_out_in_little_memory_and_time(
    special: Path, command: list[str], status: int
) -> None:
    shutil.copy(Path(__file__).parents[2] / "docs" / "pictures" / "bird.png", "bird.png")
    limits = "import resource; resource.setrlimit(resource.RLIMIT_CPU, (60, 60));"
    code = f"{limits} from numpyclip.cli import main; raise SystemExit(main({[*command, '--no-index']!r}))"
    extra = ["--exact"] if command[0] == "duplicates" else []
    done = subprocess.run(
        [sys.executable, "-c", code.replace("]))", f", *{extra!r}]))")], capture_output=True, timeout=120, check=False
    )
    assert done.returncode == status, done.stderr
    assert b"not regular" in done.stderr


def png_chunk(kind: bytes, data: bytes = b"") -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def tiff(kind: int, count: int) -> bytes:
    values = {256: 8, 257: 8, 258: 8, 259: 1, 262: 1, 273: 200, 278: 1, 279: 8}
    entries = [struct.pack("<HHII", tag, 4, 1, value) for tag, value in values.items()]
    entries.append(struct.pack("<HHII", 33_000, kind, count, 200))
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + b"".join(entries) + bytes(4) + bytes(600_000)


@functools.cache
def costly(count: int) -> dict[str, bytes]:
    """Make pictures of which Pillow reads many parts before, after or for few pixels."""
    jpeg, png, gif = saved("JPEG"), saved("PNG"), saved("GIF")
    stream = io.BytesIO()
    Image.new("L", (8, 8), 128).save(stream, "JPEG", progressive=True)
    progressive = stream.getvalue()
    last_scan = progressive[progressive.rfind(b"\xff\xda") : -2]
    pixels, end = png.index(b"IDAT") - 4, png.index(b"IEND") - 4
    descriptor = gif.index(b",")
    return {
        "comments": jpeg[:2] + b"\xff\xfe\0\x02" * count + jpeg[2:],
        "profiles": jpeg[:2] + b"\xff\xe2\0\x12ICC_PROFILE\0\1\1ab" * count + jpeg[2:],
        "EXIF": jpeg[:2] + (b"\xff\xe1\xff\xffExif\0\0" + bytes(65_527)) * (count // 20) + jpeg[2:],
        "scans": progressive[:-2] + last_scan * (count // 30) + b"\xff\xd9",
        "scans between comments": progressive[:-2] + (b"\xff\xfe\0\4\xff\xd9" + last_scan) * (count // 30),
        "chunks": png[:pixels] + png_chunk(b"aaAa") * count + png[pixels:],
        "empty chunks of pixels": png[:pixels] + png_chunk(b"IDAT") * count + png[pixels:],
        "chunks after the pixels": png[:end] + png_chunk(b"aaAa") * count + png[end:],
        "extensions": gif[:descriptor] + b"\x21\xfe\1a\0" * count + gif[descriptor:],
        "numbers": tiff(3, 90 * count),
        "a comment": b"P5\n#" + b" " * 4 * count + b"\n8 8 255\n" + bytes(64),
    }


@pytest.mark.parametrize("kind", costly(30))
def test_a_file_made_to_be_read_slowly_is_refused_by_name(kind: str) -> None:
    with pytest.raises(PictureError, match=r"^x\.jpg: .*(too many parts|more than)"):
        open_picture(costly(6000)[kind], name="x.jpg")


@pytest.mark.parametrize("kind", sorted(costly(30).keys() - {"scans between comments"}))  # its end is missing
def test_a_file_of_usual_parts_is_read(kind: str) -> None:
    assert open_picture(costly(300)[kind]).size == (8, 8)


def test_a_stream_that_is_read_once_is_enough() -> None:
    class Stream(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def seek(self, *place: int) -> int:
            raise io.UnsupportedOperation

    for form in ("JPEG", "PNG"):
        assert open_picture(Stream(saved(form))).size == (8, 8)


def test_a_picture_of_countless_rows_is_refused_before_it_is_decoded() -> None:
    png = saved("PNG")
    for size in ((1, 300_000), (300_000, 1)):
        header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", *size, 8, 0, 0, 0, 0))
        with pytest.raises(PictureError, match=r"^x\.jpg: is \d+ x \d+ pixels; expected at most 262144 on a side"):
            open_picture(png[:8] + header + png[8 + len(header) :], name="x.jpg")


@pytest.mark.parametrize(
    "start", [b"\0\0\0\x18ftypmp42", b"\0\0\0\x14ftypqt  ", b"\x1aE\xdf\xa3" + bytes(8), b"RIFF\0\0\0\0AVI LIST"]
)
def test_of_a_video_the_message_says_what_to_do(start: bytes) -> None:
    with pytest.raises(PictureError, match=r"it is a video: `numpyclip index` embeds its moments"):
        open_picture(start + bytes(100))
