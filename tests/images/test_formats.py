"""One list of formats at every door, no program that is started, and nothing but regular files."""

import io
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
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
            with pytest.raises(PictureError, match=r"cannot be read as a picture \("):
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
        assert main([*command, "-m", "tiny", "--no-index"]) in (1, 3)
        assert capsys.readouterr().err.count("(not in a supported format)") == 5
    assert main(["sheet", "photos", "-o", "sheet.png"]) == 3
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
    for form in ("JPEG", "PNG", "GIF", "BMP", "PPM", "WEBP", "TIFF", "JPEG2000", "ICO", "TGA"):
        file = io.BytesIO()
        Image.new("RGB", (16, 16), "red").save(file, form)
        assert identify(file).format == form


class Counted(io.BytesIO):
    reads = bytes_read = 0

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        self.reads, self.bytes_read = self.reads + 1, self.bytes_read + len(data)
        return data


@pytest.mark.parametrize(
    ("data", "part"),
    [
        (b"\xff\xd8\xff" + bytes(10**6), "header"),
        (b"\xff\xd8" + b"\xff" * 10**6, "header"),
        (b"GIF89a" + struct.pack("<HHBBB", 8, 8, 0, 0, 0) + b"!\xfe" + b"\1a" * 10**5, "header"),
        (b"P6 #" + bytes(10**6), "header"),
        (
            struct.pack("<2sIHHI", b"BM", 600_000, 0, 0, 1078)
            + struct.pack("<IiiHHIIiiII", 40, 4000, 4000, 1, 8, 1, 600_000, 0, 0, 256, 0)
            + bytes(1024)
            + b"\1\0" * 300_000,
            "content",
        ),
    ],
    ids=["JPEG of zeros", "JPEG of fill bytes", "GIF comment", "PPM comment", "BMP, run-length encoded"],
)
def test_what_pillow_reads_byte_by_byte_has_a_limit(data: bytes, part: str) -> None:
    file = Counted(data)
    most = {"header": 100_000, "content": 500_000}[part]
    with pytest.raises(PictureError, match=rf"\(its {part} takes more than {most} reads\)"):
        open_picture(file)
    assert file.reads <= most + 20


def test_large_metadata_is_no_reason_to_refuse_a_file() -> None:
    """A panorama has tens of megabytes of it, which Pillow reads."""
    image = Image.new("RGB", (16, 16), "red")
    file = io.BytesIO()
    image.save(file, "JPEG")
    jpeg = file.getvalue()
    assert open_picture(jpeg[:2] + (b"\xff\xe1\xff\xff" + bytes(65533)) * 300 + jpeg[2:]).size == (16, 16)
    image.save(file := io.BytesIO(), "TIFF", tiffinfo={37724: bytes(20 << 20)})  # layers, as Photoshop writes them
    assert open_picture(file.getvalue()).size == (16, 16)


def test_tags_that_overlap_are_not_read_each() -> None:
    tags = [(256, 3, 1, 8), (257, 3, 1, 8), (258, 3, 1, 8), (262, 3, 1, 1), (273, 3, 1, 8)]
    tags += [(1000 + number, 7, 1 << 20, 1000) for number in range(50)]
    data = b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in tags)
    file = Counted(data + bytes(2 << 20))
    try:
        identify(file)
    except OSError as error:
        assert "overlaps" in str(error)
    assert file.bytes_read < 9 << 20


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
                PictureError, match=rf"^{path}: cannot be read as a picture \(it is a .*; expected a regul"
            ):
                doors[name](path)
    errors: list[PictureError] = []
    list(contact_sheets([("pipe.jpg", ""), ("zero.png", "")], report=errors.append))
    assert len(errors) == 2


@pytest.mark.skipif(os.name == "nt", reason="there are no such files")
@pytest.mark.parametrize("command", [["duplicates", "."], ["classify", ".", "a", "b", "-m", "tiny"]])
def test_special_files_in_folders_are_left_out_in_little_memory_and_time(special: Path, command: list[str]) -> None:
    shutil.copy(SOURCE.parents[1] / "docs" / "pictures" / "bird.png", "bird.png")
    limits = "import resource; resource.setrlimit(resource.RLIMIT_CPU, (60, 60));"
    code = f"{limits} from numpyclip.cli import main; raise SystemExit(main({[*command, '--no-index']!r}))"
    extra = ["--exact"] if command[0] == "duplicates" else []
    done = subprocess.run(
        [sys.executable, "-c", code.replace("]))", f", *{extra!r}]))")], capture_output=True, timeout=120, check=False
    )
    assert done.returncode in (0, 3), done.stderr
    assert b"not regular" in done.stderr
