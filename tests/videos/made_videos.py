"""Videos, encoded by PyAV."""

from collections.abc import Callable, Iterable, Mapping
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

_QUICK = {
    "libx264": {"preset": "ultrafast", "bf": "2", "sc_threshold": "0"},
    "libvpx": {"deadline": "realtime", "cpu-used": "8"},
}
RED, GREEN, BLUE, WHITE = (220, 20, 20), (20, 200, 20), (20, 20, 220), (240, 240, 240)


def plain(colour: tuple[int, int, int], width: int = 96, height: int = 64) -> NDArray[np.uint8]:
    return np.full((height, width, 3), colour, np.uint8)


def write_video(
    path: Path,
    shown: Iterable[tuple[float, NDArray[np.uint8]]],
    *,
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    gop: int = 10_000,
    metadata: Mapping[str, str] = MappingProxyType({}),
    container_options: Mapping[str, str] = MappingProxyType({}),
    set_up: Callable[[Any], object] = lambda stream: None,
    **options: str,
) -> Path:
    """Encode frames with their times in seconds, which need not be even."""
    import av

    container_options = {**({"movflags": "use_metadata_tags"} if metadata else {}), **container_options}
    with av.open(str(path), "w", options=container_options) as container:
        container.metadata.update(metadata)
        stream: Any = container.add_stream(codec, rate=30)
        stream.pix_fmt = pix_fmt
        stream.gop_size = gop
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        stream.options = {**_QUICK.get(codec, {}), **options}
        set_up(stream)
        for number, (seconds, pixels) in enumerate(shown):
            if number == 0:
                stream.height, stream.width = pixels.shape[:2]
            frame: Any = av.VideoFrame.from_ndarray(pixels, format="rgb24" if pixels.dtype == np.uint8 else "rgb48le")
            frame.pts, frame.time_base = round(seconds * 1000), Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def scenes(*colours: tuple[float, tuple[int, int, int]], rate: float = 5) -> list[tuple[float, NDArray[np.uint8]]]:
    """Show colours for some seconds each."""
    shown, begun = [], 0.0
    for seconds, colour in colours:
        shown += [(begun + n / rate, plain(colour)) for n in range(round(seconds * rate))]
        begun += seconds
    return shown
