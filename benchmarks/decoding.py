"""How much memory and CPU time does decoding take, by format; in rows of Markdown. On Linux.

    pip install "numpyclip[heif,raw]" pillow-jxl-plugin
    python benchmarks/decoding.py [FORMAT ...] [--megapixels 24]

Files are generated: smooth noise, and a DNG of uncompressed samples for RAW. Each is decoded in a process of its own,
which has decoded a small one before. It is also resized for a model of 224 pixels. Memory is the peak of the process
above what it had before, in bytes per pixel of the file; CPU time is of all threads. "Reduced" is as commands decode
(`draft=True`).
"""

import argparse
import io
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from contest import report
from contest.files import ROOT
from contest.own_memory import reset_peak, resident
from numpyclip.images.decode_options import DecodeOptions
from numpyclip.images.preprocess import Preprocess

sys.path.insert(0, str(ROOT))
from tests.raw_files import dng

SMALL = (640, 480)


class Case(NamedTuple):
    """How a file is encoded, and whether it is decoded at a reduced size."""

    mode: str
    save: dict[str, Any]
    is_reduced: bool = False


JPEG: dict[str, Any] = {"format": "JPEG", "quality": 85}
PROGRESSIVE = {**JPEG, "progressive": True}
CASES = {
    "JPEG, reduced": Case("RGB", JPEG, is_reduced=True),
    "JPEG": Case("RGB", JPEG),
    "JPEG, gray": Case("L", JPEG),
    "JPEG, progressive, reduced": Case("RGB", PROGRESSIVE, is_reduced=True),
    "JPEG, progressive": Case("RGB", PROGRESSIVE),
    "PNG": Case("RGB", {"format": "PNG", "compress_level": 1}),
    "PNG, gray": Case("L", {"format": "PNG", "compress_level": 1}),
    "PNG, transparent": Case("RGBA", {"format": "PNG", "compress_level": 1}),
    "TIFF": Case("RGB", {"format": "TIFF"}),
    "TIFF, JPEG": Case("RGB", {"format": "TIFF", "compression": "jpeg"}),
    "GIF": Case("L", {"format": "GIF"}),
    "HEIC": Case("RGB", {"format": "HEIF", "quality": 50}),
    "AVIF": Case("RGB", {"format": "AVIF", "quality": 50, "speed": 10}),
    "WebP": Case("RGB", {"format": "WEBP", "quality": 50, "method": 0}),
    "RAW, reduced": Case("", {}, is_reduced=True),
    "RAW": Case("", {}),
    "JPEG XL": Case("RGB", {"format": "JXL", "quality": 80, "effort": 1}),
    "JPEG 2000": Case("RGB", {"format": "JPEG2000", "quality_mode": "rates", "quality_layers": [20]}),
}


def encode(case: Case, size: tuple[int, int]) -> bytes:
    if not case.mode:
        return dng(size=size)
    width, height = size
    coarse = np.random.default_rng(0).integers(0, 256, (height // 16, width // 16, 4), np.uint8)
    image = Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC).convert(case.mode)
    file = io.BytesIO()
    image.save(file, **case.save)
    return file.getvalue()


def decode(small: str, file: str, *, is_reduced: bool) -> None:
    preprocess, options = Preprocess(224), DecodeOptions(draft=is_reduced)
    preprocess.read(small, options)  # loads the decoder
    before, start = reset_peak(), time.process_time()
    preprocess.read(file, options)
    seconds = time.process_time() - start
    print(json.dumps([resident("VmHWM") - before, seconds]))


def measure(name: str, size: tuple[int, int], folder: Path) -> list[str]:
    """Return a row of the table."""
    case, files = CASES[name], [folder / "small", folder / "file"]
    for file, pixels in zip(files, (SMALL, size), strict=True):
        file.write_bytes(encode(case, pixels))
    command = [sys.executable, __file__, "--here", *map(str, files), *["--reduced"][: case.is_reduced]]
    memory, seconds = json.loads(subprocess.check_output(command))
    pixels = size[0] * size[1]
    return [name, f"{memory / pixels:.1f}", f"{seconds:.2f}"]


def register_encoders() -> None:
    """Let Pillow write HEIC and JPEG XL."""
    import pillow_heif
    import pillow_jxl  # noqa: F401  it registers itself

    pillow_heif.register_heif_opener()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("formats", nargs="*", metavar="FORMAT", help=f"default all: {'; '.join(CASES)}")
    parser.add_argument("--megapixels", type=float, default=24)
    parser.add_argument("--here", nargs=2, help=argparse.SUPPRESS)  # decode in this process
    parser.add_argument("--reduced", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.here:
        decode(*given.here, is_reduced=given.reduced)
        return
    if unknown := sorted({*given.formats} - {*CASES}):
        parser.error(f"{', '.join(unknown)}: expected some of: {'; '.join(CASES)}")
    register_encoders()
    height = round((given.megapixels * 1e6 * 2 / 3) ** 0.5 / 16) * 16
    with tempfile.TemporaryDirectory() as folder:
        rows = [measure(name, (height * 3 // 2, height), Path(folder)) for name in given.formats or CASES]
    header = ("format", "bytes per pixel", "CPU seconds")
    print(f"{height * 3 // 2} x {height} pixels:", report.table(header, rows), report.machine(None, False), sep="\n\n")


if __name__ == "__main__":
    main()
