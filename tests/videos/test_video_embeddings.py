from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.errors import PictureError
from numpyclip.videos.video_embeddings import embed_video, moment_image
from numpyclip.videos.video_options import VideoOptions
from tests.videos.made_videos import write_video

SIZE = (128, 128)


@pytest.fixture
def video(tmp_path: Path, emoji: dict[str, Image.Image]) -> Path:
    """A bird for six seconds, and then a house."""
    shown = [(n / 2, np.asarray(emoji["bird" if n < 12 else "house"].resize(SIZE))) for n in range(20)]
    return write_video(tmp_path / "a.mp4", shown, gop=4, crf="1")


def test_moments_are_embedded_with_their_times(video: Path, emoji: dict[str, Image.Image], tiny: CLIP) -> None:
    times, embeddings = embed_video(tiny, video, batch_size=2)
    assert times[0] == 0
    assert 6.0 in times
    np.testing.assert_allclose(np.linalg.norm(embeddings, axis=1), 1, atol=1e-5)
    stills = tiny.embed_images([emoji[name].resize(SIZE) for name in ("bird", "house")])
    assert ((embeddings @ stills.T).argmax(1) == (times >= 6)).all()
    assert (embeddings @ stills.T).max(1).min() > 0.95
    (moment,) = tiny.embed_images(moment_image(tiny.preprocess, video, 6.2))
    assert moment @ embeddings[list(times).index(6.0)] > 0.999


def test_errors_are_those_of_images(tmp_path: Path, tiny: CLIP) -> None:
    (tmp_path / "a.mp4").write_bytes(b"no video")
    with pytest.raises(PictureError, match=r"a\.mp4: cannot be read as a video"):
        embed_video(tiny, tmp_path / "a.mp4", VideoOptions(every=1))
