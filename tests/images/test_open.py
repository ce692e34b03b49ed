"""What opens as a picture and what does not, and how it lies."""

import gc
import io
import os
import struct
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import EpsImagePlugin, Image, UnidentifiedImageError

from numpyclip.errors import InputError, PictureError
from numpyclip.images.decode_memory import MemoryLimit
from numpyclip.images.decode_options import DecodeOptions
from numpyclip.images.open import file_content, open_picture, pictures
from numpyclip.images.preprocess import Preprocess
from tests.picture_files import FORMATS, NOISE, ORIENTATION, encoded, oriented, state, with_orientation

# What the eight orientations ask to do with the stored (y, x, 3).
TURNS: dict[int, Callable[[NDArray[np.uint8]], NDArray[np.uint8]]] = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a),
}


def opens(data: bytes) -> bool:
    """Tell whether it opens; any other error than `PictureError` goes through."""
    try:
        open_picture(data, DecodeOptions(max_pixels=1_000_000)).tobytes()  # wrong sizes need time otherwise
    except PictureError:
        return False
    return True


def content(path: str | Path) -> bytes:
    with file_content(path) as data:
        return data


# What opens


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF", "MPO"])
def test_open_picture_honours_the_orientation(form: str, orientation: int) -> None:
    stored = np.asarray(open_picture(oriented(form, 1)))
    image = open_picture(oriented(form, orientation))
    assert np.array_equal(np.asarray(image), TURNS[orientation](stored))
    assert np.array_equal(np.asarray(open_picture(image)), np.asarray(image)), "turned twice"


def test_open_picture_leaves_the_orientation_alone_if_told_so() -> None:
    assert np.array_equal(np.asarray(open_picture(oriented("PNG", 6), DecodeOptions(orient=False))), NOISE)


@pytest.mark.parametrize("orientation", [0, 9, 65535])
def test_unknown_orientations_are_no_turn(orientation: int) -> None:
    assert np.array_equal(np.asarray(open_picture(oriented("PNG", orientation))), NOISE)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("kind", "count", "value"),
    [
        (2, 4, b"6\0\0\0"),  # letters
        (1, 1, b"\x06\0\0\0"),  # a byte
        (3, 2, b"\x06\0\x06\0"),  # two numbers
        (3, 0, b"\x06\0\0\0"),  # none
        (4, 1, b"\xff\xff\xff\xff"),
        (5, 1, b"\x08\0\0\0"),  # a fraction, whose place is the header
        (9, 1, b"\xff\xff\xff\xff"),  # -1
        (10, 1, b"\xff\xff\xff\x7f"),  # a fraction beyond the end
        (11, 1, b"\0\0\xc0\x7f"),  # NaN
        (12, 1, b"\0\0\0\0"),
        (7, 4, b"\x06\0\0\0"),  # of no type
        (13, 1, b"\x08\0\0\0"),  # a directory, which is this one
        (99, 1, b"\x06\0\0\0"),
    ],
)
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_an_orientation_of_any_type_ends_nothing(form: str, kind: int, count: int, value: bytes) -> None:
    entry = struct.pack("<HHI", ORIENTATION, kind, count) + value
    exif = b"Exif\0\0II*\0\x08\0\0\0\x01\0" + entry + bytes(4)
    assert sorted(open_picture(encoded(Image.fromarray(NOISE), form, exif=exif)).size) == [16, 24]


def test_an_orientation_in_xmp_counts_once() -> None:
    image = Image.fromarray(NOISE)
    image.info["XML:com.adobe.xmp"] = '<rdf:Description tiff:Orientation="6"/>'
    turned = open_picture(image)
    assert np.array_equal(np.asarray(turned), TURNS[6](NOISE))
    assert open_picture(turned) is turned


@pytest.mark.filterwarnings("ignore")  # Pillow warns of some
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("cut", [0, 1, 6, 8, 12, 14, 15, 17, 20, 25])
def test_damaged_exif_does_not_refuse_the_picture(form: str, cut: int) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    for damaged in exif.tobytes()[:cut], b"Exif\0\0" + b"\xff" * cut, exif.tobytes()[:cut] + b"\xff" * 9:
        image = open_picture(encoded(Image.fromarray(NOISE), form, exif=damaged))
        assert sorted(image.size) == [16, 24]


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG", "TIFF"])
def test_the_first_frame_of_an_animation_counts(form: str) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "lime", "blue")]
    data = encoded(frames[0], form, save_all=True, append_images=frames[1:])
    assert np.asarray(open_picture(data).convert("RGB"))[0, 0].tolist() == [255, 0, 0]
    assert np.array_equal(Preprocess(8)(open_picture(data)), Preprocess(8)(frames[0]))


@pytest.mark.parametrize("form", FORMATS)
def test_paths_and_bytes_give_the_pixels_of_the_picture(form: str, tmp_path: Path) -> None:
    data = encoded(Image.fromarray(NOISE), form)
    path = tmp_path / f"größe 猫.{form.lower()}"
    path.write_bytes(data)
    with Image.open(io.BytesIO(data)) as image:
        expected = Preprocess(31)(image).tobytes()
    for source in path, str(path), data, bytearray(data), memoryview(data):
        assert Preprocess(31)(open_picture(source)).tobytes() == expected


@pytest.mark.parametrize("shape", [(5, 7), (5, 7, 3), (5, 7, 4), (1, 1), (3, 3, 3)])
def test_arrays_are_pictures(shape: tuple[int, ...]) -> None:
    array = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    for view in array, array[::-1, ::-1], np.asfortranarray(array):
        assert np.array_equal(np.asarray(open_picture(view)), view)


def test_a_picture_that_needs_no_turn_is_given_back_decoded(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(oriented("PNG", 1))
    with Image.open(path) as lazy:
        assert open_picture(lazy) is lazy
    assert np.array_equal(np.asarray(lazy), NOISE)
    loaded = Image.fromarray(NOISE)
    assert open_picture(loaded) is loaded


def test_a_picture_that_needs_a_turn_is_not_changed() -> None:
    with with_orientation(6) as image:
        before = state(image)
        assert open_picture(image).size == (16, 24)
        assert state(image) == before


# Single and many


@pytest.mark.parametrize(
    "single",
    ["a.jpg", Path("a.jpg"), b"abc", bytearray(b"abc"), memoryview(b"abc"), Image.new("L", (1, 1)), NOISE, NOISE[0]],
    ids=lambda value: type(value).__name__,
)
def test_a_single_picture_is_a_list_of_one(single: Any) -> None:
    (item,) = pictures(single)
    assert item is single


def test_many_pictures_are_given_one_by_one() -> None:
    assert list(pictures(["a.jpg", b"abc"])) == ["a.jpg", b"abc"]
    assert list(pictures(np.array(["a.jpg", "b.jpg"]))) == ["a.jpg", "b.jpg"]
    batch = np.stack([NOISE, NOISE[::-1]])
    assert [np.asarray(open_picture(item)).tobytes() for item in pictures(batch)] == [a.tobytes() for a in batch]
    assert list(pictures([])) == []


def test_a_generator_is_not_read_ahead() -> None:
    taken = []

    def names() -> Iterator[str]:
        for name in "abc":
            taken.append(name)
            yield name

    stream = iter(pictures(names()))
    assert taken == []
    assert (next(stream), taken) == ("a", ["a"])


def test_what_is_neither_picture_nor_iterable_is_refused_when_opened() -> None:
    wrong: Any = 5
    (item,) = pictures(wrong)
    with pytest.raises(InputError, match=r"not int\.$"):
        open_picture(item)


# What does not open


@pytest.mark.parametrize("wrong", [None, 5, 1.5, ["a.jpg"]], ids=lambda value: type(value).__name__)
def test_other_kinds_are_refused(wrong: Any) -> None:
    with pytest.raises(InputError, match=f"not {type(wrong).__name__}"):
        open_picture(wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        NOISE.astype(np.float32),
        NOISE.astype(bool),
        NOISE.astype(np.int64),
        NOISE.transpose(2, 0, 1),
        NOISE[None],
        NOISE[0, 0],
        NOISE[..., :2],
        NOISE[..., :1],
        NOISE[:0],
        NOISE[:, :0],
        np.array("a.jpg"),
    ],
    ids=lambda array: f"{array.dtype}-{array.shape}",
)
def test_arrays_of_another_dtype_or_shape_are_refused(wrong: Any) -> None:
    with pytest.raises(InputError, match=r"^an array of shape .* is no image; expected uint8"):
        open_picture(wrong)


def test_messages_begin_with_the_name(tmp_path: Path) -> None:
    text, empty, cut = (tmp_path / name for name in ("text.jpg", "empty.png", "cut.png"))
    text.write_text("not a picture", "ascii")
    empty.touch()
    cut.write_bytes(oriented("PNG", 1)[:-200])
    for path in text, empty, cut, tmp_path, tmp_path / "missing é.jpg", str(text), "":
        with pytest.raises(PictureError) as caught:
            open_picture(path)
        assert str(caught.value).startswith(f"{path}: cannot be read as an image (")


@pytest.mark.parametrize(("name", "shown"), [("nul\0.jpg", r"nul\x00.jpg"), ("caf\udce9.jpg", r"caf\xe9.jpg")])
def test_a_name_that_cannot_be_printed_is_escaped(name: str, shown: str) -> None:
    with pytest.raises(PictureError) as caught:
        open_picture(name)
    assert str(caught.value).startswith(f"{shown}: cannot be read as an image (")


@pytest.mark.parametrize("data", [b"", b"abc", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF89a", bytes(1000)])
def test_bytes_that_are_no_picture_are_refused(data: bytes) -> None:
    with pytest.raises(PictureError, match=f"^an image of {len(data)} bytes: cannot be read") as caught:
        open_picture(data)
    assert "object at" not in str(caught.value)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("form", FORMATS)
def test_a_file_cut_anywhere_is_a_picture_or_refused(form: str) -> None:
    data = encoded(Image.fromarray(NOISE), form)
    assert opens(data)
    opened = [cut for cut in range(len(data)) if opens(data[:cut])]
    assert not opened or opened[0] > len(data) // 3  # MPO holds two pictures, and the first will do


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("form", FORMATS)
def test_a_file_with_wrong_bytes_is_a_picture_or_refused(form: str) -> None:
    data = encoded(Image.fromarray(NOISE), form)
    rng = np.random.default_rng(0)
    for _ in range(100):
        damaged = bytearray(data)
        for position in rng.integers(0, min(len(data), 200), rng.integers(1, 5)).tolist():
            damaged[position] = int(rng.integers(256))
        opens(bytes(damaged))


def test_a_picture_of_too_many_pixels_is_refused_before_it_is_decoded() -> None:
    cut = encoded(Image.fromarray(NOISE), "PNG")[:60]  # of which no pixel is there
    expected = r"^p: has 24 x 16 pixels, 384 in all; expected at most 383\. A larger max_pixels \(--max-pixels\) allows"
    with pytest.raises(PictureError, match=expected):
        open_picture(cut, DecodeOptions(max_pixels=383), name="p")


def test_files_are_closed(tmp_path: Path) -> None:
    frames = {"save_all": True, "append_images": [Image.new("RGB", (8, 8))]}
    gif, cut, text = (tmp_path / name for name in ("a.gif", "cut.gif", "text.gif"))
    gif.write_bytes(encoded(Image.fromarray(NOISE), "GIF", **frames))
    cut.write_bytes(gif.read_bytes()[:300])
    text.write_text("not a picture", "ascii")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        open_picture(gif)
        for path in cut, text:
            with pytest.raises(PictureError):
                open_picture(path)
        gc.collect()
    assert caught == []


def test_open_files_are_pictures(tmp_path: Path) -> None:
    Image.new("RGB", (5, 4), "red").save(tmp_path / "red.png")
    data = (tmp_path / "red.png").read_bytes()
    assert open_picture(io.BytesIO(data)).size == (5, 4)
    with (tmp_path / "red.png").open("rb") as file:
        assert [open_picture(picture).size for picture in pictures(file)] == [(5, 4)]
    with pytest.raises(PictureError, match=r"^a file: cannot be read as an image"):
        open_picture(io.BytesIO(b"abc"))


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_a_stream_is_a_picture(form: str) -> None:
    class Stream:
        def __init__(self, data: bytes) -> None:
            self.read = io.BytesIO(data).read

    stream: Any = Stream(encoded(Image.fromarray(NOISE), form))
    assert open_picture(stream).size == (24, 16)


@pytest.mark.parametrize(
    ("size", "draft_size", "decoded"),
    [
        ((1600, 1200), 128, (200, 150)),
        ((1600, 1200), 151, (400, 300)),
        ((1600, 1200), 601, (1600, 1200)),
        ((1600, 1202), 128, (800, 601)),  # no further: sides that are rounded would change the shape
        ((1601, 1200), 128, (1601, 1200)),
    ],
)
def test_a_draft_is_decoded_at_a_whole_fraction_of_its_size(
    size: tuple[int, int], draft_size: int, decoded: tuple[int, int]
) -> None:
    file = io.BytesIO()
    Image.new("RGB", size, "red").save(file, "JPEG")
    assert open_picture(file.getvalue(), draft_size=draft_size).size == decoded
    assert open_picture(file.getvalue()).size == size


@pytest.mark.parametrize(
    ("form", "options", "draft_size", "expected"),
    [
        ("PNG", {}, None, 8),
        ("JPEG", {}, None, 8),
        ("JPEG", {"progressive": True}, None, 8 + 6),
        ("JPEG", {"progressive": True}, 16, 8 / 16 + 6),
        ("WEBP", {}, None, 16),
        ("AVIF", {}, None, 16),
        ("HEIF", {}, None, 16),
        ("JPEG2000", {}, None, 20),
    ],
)
def test_the_memory_that_is_reserved_depends_on_the_decoder(
    monkeypatch: pytest.MonkeyPatch, form: str, options: dict[str, bool], draft_size: int | None, expected: float
) -> None:
    if form == "HEIF":
        pytest.importorskip("pillow_heif").register_heif_opener()
    Image.init()
    if form not in Image.SAVE:
        pytest.skip(f"Pillow does not write {form}")
    reserved: list[float] = []

    class Reserving(MemoryLimit):
        @contextmanager
        def take(self, count: int) -> Iterator[None]:
            reserved.append(count)
            with super().take(count):
                yield

    monkeypatch.setattr("numpyclip.images.open.DECODE_MEMORY", Reserving())
    file = io.BytesIO()
    Image.new("RGB", (64, 64)).save(file, form, **options)
    open_picture(file.getvalue(), draft_size=draft_size)
    assert reserved == [expected * 64 * 64]


def test_only_jpeg_has_drafts() -> None:
    file = io.BytesIO()
    Image.new("RGB", (1600, 1200)).save(file, "PNG")
    assert open_picture(file.getvalue(), draft_size=128).size == (1600, 1200)


def test_heic_is_read_with_pillow_heif() -> None:
    pytest.importorskip("pillow_heif")
    path = Path(__file__).parents[1] / "data" / "red.heic"  # pillow_heif cannot write one once usearch is imported
    for source in (path, path.read_bytes()):
        shown = open_picture(source)
        assert shown.size == (64, 48)
        assert np.abs(np.asarray(shown.convert("RGB"), int) - (255, 0, 0)).max() <= 3


def test_heic_without_pillow_heif_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    (tmp_path / "photo.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic")
    monkeypatch.setattr(Image, "open", _unidentified)
    with pytest.raises(PictureError, match=r'photo.heic: cannot be read .*pip install "numpyclip\[heif\]"'):
        open_picture(tmp_path / "photo.heic")


def _unidentified(*_: object, **__: object) -> None:
    raise UnidentifiedImageError


EPS = b"""%!PS-Adobe-3.0 EPSF-3.0
%%BoundingBox: 0 0 8 8
%%EndComments
showpage
"""


@pytest.mark.parametrize("name", ["eps_named.jpg", "a.eps"])
def test_no_program_is_started_for_a_picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    def started(*_: object, **__: object) -> None:
        raise AssertionError("Ghostscript is started")

    monkeypatch.setattr(EpsImagePlugin, "Ghostscript", started)
    (tmp_path / name).write_bytes(EPS)
    for source in (tmp_path / name, EPS, io.BytesIO(EPS)):
        with pytest.raises(PictureError, match=r"\(not in a supported format\)"):
            open_picture(source)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
def test_only_regular_files_are_opened(tmp_path: Path) -> None:
    """A pipe to which nobody writes would be waited for until the end of time."""
    pipe = tmp_path / "pipe.jpg"
    os.mkfifo(pipe)
    for read in (open_picture, content):
        with pytest.raises(PictureError, match=r"pipe\.jpg: cannot be read .*\(it is a named pipe; expected"):
            read(pipe)
        with pytest.raises(PictureError, match="it is a folder"):
            read(tmp_path)


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "large.jpg").open("wb") as file:
        file.truncate((768 << 20) + 1)
    for read in (open_picture, content):
        with pytest.raises(PictureError, match=r"large\.jpg: has 805306369 bytes; expected at most 805306368 of an im"):
            read(str(tmp_path / "large.jpg"))


def test_a_picture_that_cannot_be_preprocessed_is_named(tmp_path: Path) -> None:
    Image.new("RGB", (1, 12_000)).save(tmp_path / "thin.png")
    with pytest.raises(PictureError, match=r"^.*thin\.png: is 1 x 12000 pixels; it would take"):
        Preprocess(336).read(str(tmp_path / "thin.png"))
