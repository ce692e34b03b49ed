"""How long a video takes to be embedded, in CPU time, and whether memory stays flat.

    python benchmarks/videos.py [--minutes 10 60] [--size 640 360] [--gop 250] [--models tiny ViT-B-32 ViT-L-14]

Needs no other library than PyAV, nor weights: other models than `tiny` have random ones. The video is of H.264, 25
frames a second with a keyframe every 10 seconds (--gop 250 frames), which moves all the time and shows another scene
every 4 seconds. Two minutes of it are encoded, and their packets repeated. Decoding is measured in a process of its
own, which finds and reduces the moments as `numpyclip index` does; CPU time of all threads, and the most memory of the
process, that before the first frame included. Embedding is measured by 64 moments, in batches of 32. On Linux.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import numpyclip
from architectures import alone, make_model, read_config
from contest import report
from contest.own_memory import resident
from numpyclip.videos.frames import frames

RATE, SCENE = 25, 4
ENCODED = 2  # minutes
MOMENTS, BATCH = 64, 32
SIDE = 448  # pixels of the shorter side of moments, for a model of 224


def scene(number: int, width: int, height: int) -> np.ndarray:
    """Make a picture wider than a frame, of blurred noise with some grain."""
    random = np.random.default_rng(number)
    size = (width + SCENE * RATE, height)
    coarse = Image.fromarray(random.integers(0, 256, (12, 24, 3), np.uint8)).resize(size, Image.Resampling.BICUBIC)
    return np.clip(np.asarray(coarse) + random.normal(0, 4, (size[1], size[0], 1)), 0, 255).astype(np.uint8)


def encode(path: Path, width: int, height: int, gop: int) -> Path:
    import av

    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("libx264", rate=RATE)
        stream.width, stream.height, stream.pix_fmt, stream.gop_size = width, height, "yuv420p", gop
        stream.options = {"preset": "veryfast", "sc_threshold": "0"}
        for number in range(ENCODED * 60 * RATE):
            shift = number % (SCENE * RATE)
            if shift == 0:
                shown = scene(number, width, height)
            frame: Any = av.VideoFrame.from_ndarray(np.ascontiguousarray(shown[:, shift : shift + width]))
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def repeat(source: Path, path: Path, minutes: int) -> Path:
    """Write the packets of a video again and again, until it is so long."""
    import av

    with av.open(str(path), "w") as container:
        with av.open(str(source)) as one:
            stream = container.add_stream_from_template(one.streams.video[0])
        for number in range(minutes // ENCODED):
            with av.open(str(source)) as one:
                for packet in one.demux(video=0):
                    if packet.dts is not None and packet.pts is not None:
                        later = round(number * ENCODED * 60 / packet.time_base)
                        packet.dts, packet.pts, packet.stream = packet.dts + later, packet.pts + later, stream
                        container.mux(packet)
    return path


def decode(path: str) -> None:
    begun = time.process_time()
    count = sum(1 for _ in frames(path, SIDE))
    print(count, time.process_time() - begun, resident("VmHWM") / 2**20)


def seconds_of_a_moment(model: numpyclip.CLIP) -> float:
    images = [Image.fromarray(scene(number, 640, 360)[:, :640]) for number in range(BATCH)]

    def embed() -> None:
        model.embed_pixels([model.preprocess.crop(image) for image in images])

    embed()  # prepares the weights
    begun = time.process_time()
    for _ in range(MOMENTS // BATCH):
        embed()
    return (time.process_time() - begun) / MOMENTS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=int, nargs="+", default=[10, 60], help="even numbers")
    parser.add_argument("--size", type=int, nargs=2, default=[640, 360])
    parser.add_argument("--gop", type=int, default=250, help="frames from one keyframe to the next")
    parser.add_argument("--models", nargs="*", default=["tiny", "ViT-B-32", "ViT-L-14"])
    parser.add_argument("--folder", help="for the videos, which are removed")
    parser.add_argument("--decode", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.decode:
        return decode(given.decode)
    found = {}
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        source = encode(Path(folder, "one.mp4"), *given.size, given.gop)
        for minutes in given.minutes:
            path = repeat(source, Path(folder, "repeated.mp4"), minutes)
            command = [sys.executable, __file__, "--decode", str(path)]
            moments, seconds, peak = map(float, subprocess.check_output(command, text=True).split())
            found[minutes] = moments, seconds
            print(
                f"{minutes} minutes, {path.stat().st_size / 1e6:.0f} MB: {moments:.0f} moments, {seconds:.1f} s of CPU "
                f"to decode, {minutes * 60 / seconds:.0f} times real time, {peak:.0f} MiB at most",
                flush=True,
            )
    for name in given.models:
        model = numpyclip.load(name)[0] if name == "tiny" else make_model(alone(read_config(name), "vision"))
        each = seconds_of_a_moment(model)
        for minutes, (moments, seconds) in found.items():
            total = seconds + moments * each
            print(
                f"{name}, {minutes} minutes: {1000 * each:.1f} ms of CPU a moment, {moments * each:.1f} s to embed, "
                f"{total:.1f} s in all, {minutes * 60 / total:.0f} times real time",
                flush=True,
            )
    print(report.machine(None, False))
    return None


if __name__ == "__main__":
    main()
