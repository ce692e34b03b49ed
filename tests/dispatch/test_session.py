"""Sessions: the options of decoding hold for every request, and queries are embedded as elsewhere."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from numpyclip.dispatch.queries import SearchFields
from numpyclip.dispatch.session import Session
from numpyclip.dual_encoder.clip import CLIP
from numpyclip.errors import PictureError
from numpyclip.images.decode_options import DRAFT, DecodeOptions
from numpyclip.index.index import Index
from tests.raw_files import dng, preview


@pytest.fixture(autouse=True)
def _word_lists_are_embedded_once(shared_cache: None) -> None: ...


def session(place: str, tiny: CLIP, **options: Any) -> Session:
    return Session(lambda: Index(place, tiny), tiny, DecodeOptions(draft=True, **options))


def test_the_options_of_decoding_hold_for_queries_and_embeddings(place: str, tiny: CLIP, tmp_path: Path) -> None:
    file = tmp_path / "image.jpg"
    Image.radial_gradient("L").resize((64, 48)).save(file, "JPEG")
    file.write_bytes(file.read_bytes()[:-2])
    for options, reason in (({"max_pixels": 10}, "expected at most 10"), ({"strict_files": True}, "end is missing")):
        strict = session(place, tiny, **options)
        (error,) = strict.embed_images([str(file)])
        assert reason in str(error)
        with pytest.raises(PictureError, match=reason):
            strict.search(SearchFields({}), files=[str(file)])


def test_raw_files_are_developed_by_choice(place: str, tiny: CLIP, tmp_path: Path, monkeypatch: Any) -> None:
    pytest.importorskip("rawpy", reason="RAW files need rawpy")
    from numpyclip.images import raw

    file, developed = tmp_path / "image.dng", []
    file.write_bytes(dng(preview(), size=(320, 240)))
    load = raw.RawImage.load
    monkeypatch.setattr(raw.RawImage, "load", lambda image: developed.append(image) or load(image))  # type: ignore[func-returns-value]
    for develop_raw in (False, True):
        asked = session(place, tiny, develop_raw=develop_raw)
        developed.clear()
        asked.embed_images([str(file)])
        assert bool(developed) == develop_raw
        developed.clear()
        asked.search(SearchFields({}), files=[str(file)])
        assert bool(developed) == develop_raw


def test_a_moment_of_a_video_is_an_image_of_a_query(place: str, tiny: CLIP, drawings: Path, tmp_path: Path) -> None:
    pytest.importorskip("av", reason="the extra numpyclip[video] is not installed")
    from tests.videos.made_videos import write_video

    pixels = np.asarray(Image.open(drawings / "bird.jpg").convert("RGB").resize((256, 256)))
    write_video(tmp_path / "clip.mp4", [(n / 2, pixels) for n in range(8)], gop=4, crf="1")
    found = session(place, tiny).search(SearchFields({"n": 1}), files=[f"{tmp_path / 'clip.mp4'}@1"])
    assert Path(str(found[0].path)).name == "bird.jpg"


def test_images_of_the_index_and_files_are_terms_in_their_order(place: str, tiny: CLIP, drawings: Path) -> None:
    house = str(drawings / "house.jpg")
    asked = session(place, tiny)
    match = asked.picture(1)
    found = asked.search(SearchFields({"query": "a bird " * 100, "not": "a camera", "n": 1}), [1], [house])
    texts = tiny.embed_texts(["a bird " * 100, "a camera"], 1, truncate=True)
    total = texts[0] - texts[1] + match.embedding + tiny.embed_images(house, draft=DRAFT.draft)[0]
    assert found[0].cosine == pytest.approx(float(found[0].embedding @ total / np.linalg.norm(total)), abs=1e-5)
