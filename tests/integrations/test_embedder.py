"""The model behind an adapter: loaded once, by whatever names it, and again when its file has changed."""

import copy
import os
import shutil
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import numpyclip
from numpyclip.dual_encoder.clip import CLIP
from numpyclip.errors import InputError, PictureError, TextTooLongError
from numpyclip.integrations import embedder
from numpyclip.integrations.embedder import as_model, embed


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names that are loaded, by a cache of the test's own."""
    names: list[str] = []

    def load(name: str, **options: object) -> tuple[CLIP, object]:
        names.append(name)
        return numpyclip.load(name, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(embedder, "load", load)
    monkeypatch.setattr(embedder, "_models", embedder._Models(4))
    return names


def test_adapters_of_one_name_and_options_share_a_model(loads: list[str]) -> None:
    assert as_model("tiny") is as_model("tiny", {})
    both = {"low_memory": True, "truncate_dim": None}
    assert as_model("tiny", both) is as_model("tiny", dict(reversed(both.items())))
    assert loads == ["tiny"] * 2
    assert as_model("tiny") is not as_model("tiny", both)


def test_threads_that_come_together_load_it_once(loads: list[str]) -> None:
    at_once, found = threading.Barrier(4), []

    def use() -> None:
        at_once.wait()
        found.append(as_model("tiny"))

    threads = [threading.Thread(target=use) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(id, found))) == 1
    assert loads == ["tiny"]


def test_while_a_model_is_loaded_others_are_used(monkeypatch: pytest.MonkeyPatch, tiny: CLIP) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def load(name: str) -> tuple[CLIP, object]:
        if name == "slow":
            begun.set()
            go_on.wait()
        return tiny, None

    monkeypatch.setattr(embedder, "load", load)
    monkeypatch.setattr(embedder, "_models", embedder._Models(4))
    thread = threading.Thread(target=as_model, args=("slow",))
    other = threading.Thread(target=as_model, args=("tiny",))
    thread.start()
    try:
        begun.wait(60)
        other.start()
        other.join(60)
        assert not other.is_alive()
    finally:
        go_on.set()
        thread.join()


@pytest.mark.parametrize("options", [{"activation": ["gelu"]}, {"nope": 1}, {"name": "tiny"}, ["low_memory"], {1: 2}])
def test_wrong_options_are_an_error_that_names_them(options: Any) -> None:
    with pytest.raises(InputError, match=r"load_options is .+ \(.+\); expected keyword arguments of numpyclip\.load"):
        as_model("tiny", options)


def test_a_file_that_has_changed_is_loaded_again(loads: list[str], checkpoints: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    shutil.copy(next(checkpoints.glob("*.safetensors")), path)
    first = as_model(path, {"activation": "gelu"})
    assert as_model(str(path), {"activation": "gelu"}) is first
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 1))
    assert as_model(path, {"activation": "gelu"}) is not first


def test_a_loaded_model_is_used_as_it_is_and_takes_no_options(tiny: CLIP) -> None:
    assert as_model(tiny) is tiny
    with pytest.raises(InputError, match=r"load_options is .*'engine'.*but the model is loaded"):
        as_model(tiny, {"engine": "numpy"})
    with pytest.raises(InputError, match="found int; expected a model"):
        as_model(3)  # type: ignore[arg-type]


def test_a_copy_of_a_model_shares_its_weights(tiny: CLIP) -> None:
    assert copy.deepcopy({"model": tiny})["model"] is tiny
    assert copy.copy(tiny) is tiny


def test_texts_and_images_are_embedded_in_their_order(tiny: CLIP, bird: Path) -> None:
    red = Image.new("RGB", (70, 70), "red")
    rows = embed(tiny, ["a bird", bird.read_bytes(), "a dog", red, np.asarray(red)])
    assert rows.dtype == np.float32
    np.testing.assert_allclose(rows[[0, 2]], tiny.embed_texts(["a bird", "a dog"]), atol=1e-6)
    np.testing.assert_allclose(rows[[1, 3, 4]], tiny.embed_images([bird, red, red]), atol=1e-6)
    assert embed(tiny, []).shape == (0, 128)


def test_of_a_text_that_is_too_long_the_error_says_what_users_of_adapters_can_do(tiny: CLIP) -> None:
    expected = r"^text 'dog .*\.\.\.: .* tokens; shorten it, or create the embedder with truncate=True\.$"
    with pytest.raises(TextTooLongError, match=expected) as caught:
        embed(tiny, ["dog " * 100])
    assert caught.value.found.endswith(" tokens")
    np.testing.assert_array_equal(
        embed(tiny, ["dog " * 100], truncate=True), tiny.embed_texts("dog " * 100, truncate=True)
    )


def test_a_string_is_a_text_and_never_opened(tiny: CLIP, bird: Path) -> None:
    np.testing.assert_allclose(embed(tiny, [str(bird)]), tiny.embed_texts([str(bird)]), atol=1e-6)
    with pytest.raises(PictureError, match="image 1"):
        embed(tiny, [bird.read_bytes(), b"GIF89a"])
