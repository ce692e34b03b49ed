"""A tower on an engine computes what NumPy's does, whatever the inputs, and on as many threads."""

import multiprocessing
import pickle
import re
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

import numpyclip
from numpyclip.dual_encoder.clip import CLIP
from numpyclip.dual_encoder.coca import CoCa
from numpyclip.engines.engine import Engine
from numpyclip.engines.engine_tower import EngineTower
from numpyclip.engines.openvino import OpenVINO
from numpyclip.errors import EngineError, NumPyCLIPError
from numpyclip.model.captioning.generate import Decoding
from tests.families.test_parity import FAMILIES

TOLERANCE = 1e-5  # of the largest value: libraries add in different orders


def pixels_of(model: CLIP, count: int) -> NDArray[np.uint8]:
    height, width = model.preprocess.sides
    return np.random.default_rng(0).integers(0, 256, (count, height, width, 3), dtype=np.uint8)


def ids_of(model: CLIP, *lengths: int) -> NDArray[np.int32]:
    """Texts of random ids, with the highest one at the end."""
    ids = np.zeros((len(lengths), model.context_length), np.int32)
    for row, length in zip(ids, lengths, strict=True):
        row[:length] = np.random.default_rng(length).integers(1, model.vocab_size - 1, length)
        row[length - 1] = model.vocab_size - 1
    return ids


def assert_near(found: NDArray[Any], expected: NDArray[Any]) -> None:
    assert found.dtype == np.float32
    assert found.shape == expected.shape
    assert np.abs(found - expected).max(initial=0) <= TOLERANCE * np.abs(expected).max(initial=0)


@pytest.mark.parametrize("count", [0, 1, 5])
def test_images_are_those_of_numpy(by_engine: CLIP, by_numpy: CLIP, count: int) -> None:
    pixels = pixels_of(by_numpy, count)
    assert_near(by_engine.encode_image(pixels), by_numpy.encode_image(pixels))


def test_preprocessed_images_are_those_of_numpy(by_engine: CLIP, by_numpy: CLIP) -> None:
    pixels = pixels_of(by_numpy, 3)
    std, mean = (np.array(getattr(by_numpy.preprocess, name), np.float32) for name in ("std", "mean"))
    normalised = ((pixels.astype(np.float32) / 255 - mean) / std).transpose(0, 3, 1, 2)
    assert_near(by_engine.encode_image(normalised), by_numpy.encode_image(pixels))


def test_images_that_were_no_integers_are_those_of_numpy(by_engine: CLIP, by_numpy: CLIP) -> None:
    image = np.random.default_rng(0).standard_normal((2, 3, *by_numpy.preprocess.sides), np.float32)
    assert_near(by_engine.encode_image(image), by_numpy.encode_image(image))
    image[1, 0, 3, 3] = np.nan
    assert np.isnan(by_engine.encode_image(image)).all(axis=1).tolist() == [False, True]


@pytest.mark.parametrize("name", ["transformers-siglip2", "authors-fg-clip-2"])
def test_images_of_flexible_size_are_those_of_numpy_in_any_order(engine: str, name: str) -> None:
    """Of one patch first."""
    by_numpy, by_engine = (numpyclip.load(FAMILIES / name, engine=each)[0] for each in ("numpy", engine))
    side = by_numpy.preprocess.patch_size
    assert side
    for count, rows, columns in ((1, 1, 1), (1, 4, 4), (3, 1, 1), (2, 2, 3), (1, 1, 1), (1, 5, 7), (1, 4, 4)):
        shape = count, rows * side, columns * side, 3
        pixels = np.random.default_rng(rows).integers(0, 256, shape, np.uint8)
        assert_near(by_engine.encode_image(pixels), by_numpy.encode_image(pixels))


@pytest.mark.parametrize("shape", [(1, 48), (2, 47), (2,)])
@pytest.mark.parametrize("graph", [None, Path("image.onnx")])
def test_embeddings_of_another_shape_are_an_error(
    by_numpy: CLIP, shape: tuple[int, ...], graph: Path | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They would be one embedding for all inputs."""
    monkeypatch.setattr(
        "numpyclip.engines.engine_tower.open_or_compile", lambda *_: lambda inputs: np.ones(shape, np.float32)
    )
    tower = EngineTower(OpenVINO("cpu", "float32"), None, by_numpy.config, graph)
    message = f"returned an array of shape {shape} for 2 inputs; expected (2, 48)."
    message = f"image.onnx: {message} Export the model again." if graph else f"openvino on cpu in float32: {message}"
    with pytest.raises(EngineError, match=f"^{re.escape(message)}$"):
        tower.embed_images(pixels_of(by_numpy, 2), 1, lambda: by_numpy)


def test_relu_hides_no_numbers_that_are_none(engine: str, tiny: CLIP) -> None:
    model, _ = numpyclip.load("tiny", engine=engine)
    image = np.zeros((2, 3, *tiny.preprocess.sides), np.float32)
    image[1, 0, 3, 3] = np.nan
    assert np.isnan(model.encode_image(image)).all(axis=1).tolist() == [False, True]


def test_texts_of_all_lengths_are_those_of_numpy(by_engine: CLIP, by_numpy: CLIP) -> None:
    ids = ids_of(by_numpy, 3, 7, 2, by_numpy.context_length, 7, 3)
    assert_near(by_engine.encode_text(ids), by_numpy.encode_text(ids))
    assert_near(by_engine.encode_text(ids[:0]), by_numpy.encode_text(ids[:0]))


def test_embeddings_are_truncated(path: Path, by_numpy: CLIP, engine: str) -> None:
    with pytest.warns(UserWarning, match="Matryoshka"):
        model, _ = numpyclip.load(path, activation="quick_gelu", engine=engine, truncate_dim=5)
    ids, pixels = ids_of(by_numpy, 4), pixels_of(by_numpy, 1)
    assert_near(model.encode_text(ids), by_numpy.encode_text(ids)[:, :5])
    assert_near(model.encode_image(pixels), by_numpy.encode_image(pixels)[:, :5])


def test_tokens_are_those_of_numpy(by_engine: CLIP, by_numpy: CLIP) -> None:
    ids = ids_of(by_numpy, 4)
    assert (by_engine.text_tokens(ids) == by_numpy.text_tokens(ids)).all()


def test_texts_of_a_pair_are_computed_by_the_engine(engine: str, tiny: CLIP) -> None:
    model, _ = numpyclip.load("tiny", text_model="tiny", engine=engine)
    assert model._text_engine_tower is not None
    assert_near(model.embed_texts(["a dog"]), tiny.embed_texts(["a dog"]))


def test_captions_are_those_of_numpy(engine: str) -> None:
    (by_numpy, _), (by_engine, _) = (
        numpyclip.load(FAMILIES / "open_clip-coca", engine=name) for name in (None, engine)
    )
    pixels = pixels_of(by_numpy, 2)
    assert isinstance(by_numpy, CoCa)
    assert isinstance(by_engine, CoCa)
    decoding = Decoding(seq_len=6, start_id=38, end_id=39)
    assert (by_engine.generate_ids(pixels, decoding) == by_numpy.generate_ids(pixels, decoding)).all()
    assert_near(by_engine.encode_image(pixels), by_numpy.encode_image(pixels))


class Recorded(EngineTower):
    """A tower whose sessions record the shapes of their inputs."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.shapes: list[tuple[int, ...]] = []

    def _compute(self, kind: Any, inputs: NDArray[Any], model: Any) -> Any:
        self.shapes.append(inputs.shape)
        return np.zeros((len(inputs), self._config.embed_dim), np.float32)


def recorded(model: CLIP) -> Recorded:
    return Recorded(OpenVINO("cpu", "float32"), None, model.config)  # which is not imported for this


def test_each_text_is_computed_once_and_without_much_padding(by_numpy: CLIP, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("numpyclip.runtime.chunks._PADDING", 3)
    monkeypatch.setattr("numpyclip.engines.engine_tower._MOST_TOKENS", 12)
    tower = recorded(by_numpy)
    found = tower.embed_texts(ids_of(by_numpy, 3, 3, 2, 4, 4, 9), lambda: by_numpy)
    assert len(found) == 6
    assert tower.shapes == [(1, 9), (3, 4)]  # one text of each length


def test_images_are_cut_into_batches_of_similar_size(by_numpy: CLIP) -> None:
    tower = recorded(by_numpy)
    tower.embed_images(pixels_of(by_numpy, 10), 400, lambda: by_numpy)  # 400 tokens an image, at most 1600 together
    assert Counter(shape[0] for shape in tower.shapes) == {3: 2, 4: 1}


def test_threads_are_those_of_numpy(by_engine: CLIP, by_numpy: CLIP, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []
    compile_ = type(by_engine._text_engine_tower.engine).compile  # type: ignore[union-attr]

    def counted(self: Engine, graph: Any, threads: int, keep: Any) -> Any:
        opened.append(threads)
        return compile_(self, graph, threads, keep)

    monkeypatch.setattr(type(by_engine._text_engine_tower.engine), "compile", counted)  # type: ignore[union-attr]
    monkeypatch.setenv("NUMPYCLIP_CACHE", "0")
    ids = ids_of(by_numpy, 4)
    with threadpool_limits(1, "blas"):
        first = by_engine.encode_text(ids)
        by_engine.encode_text(ids)
    with threadpool_limits(2, "blas"):
        assert_near(by_engine.encode_text(ids), first)
    assert opened == [1, 2]


def test_many_threads_may_use_a_model(by_engine: CLIP, by_numpy: CLIP) -> None:
    inputs = [ids_of(by_numpy, length) for length in range(2, 8)]
    found: dict[int, NDArray[Any]] = {}

    def compute(number: int) -> None:
        found[number] = by_engine.encode_text(inputs[number])

    workers = [threading.Thread(target=compute, args=(number,)) for number in range(len(inputs))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for number, ids in enumerate(inputs):
        assert_near(found[number], by_numpy.encode_text(ids))


def test_a_pickled_model_is_compiled_again(by_engine: CLIP, by_numpy: CLIP, monkeypatch: pytest.MonkeyPatch) -> None:
    ids, pixels = ids_of(by_numpy, 4, 6), pixels_of(by_numpy, 1)
    by_engine.encode_text(ids)
    monkeypatch.setenv("NUMPYCLIP_CACHE", "0")
    copy = pickle.loads(pickle.dumps(by_engine))
    assert_near(copy.encode_text(ids), by_numpy.encode_text(ids))
    assert_near(copy.encode_image(pixels), by_numpy.encode_image(pixels))
    assert copy._image_engine_tower.engine == by_engine._image_engine_tower.engine  # type: ignore[union-attr]


def in_a_fork(compute: Callable[[], Any]) -> Any:
    """Call a function in a forked process; return the error if it raises one."""
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)

    def run() -> None:
        try:
            sender.send(compute())
        except NumPyCLIPError as error:
            sender.send(error)

    child = context.Process(target=run, daemon=True)
    child.start()
    try:
        assert receiver.poll(60)
        return receiver.recv()
    finally:
        child.join(10)
        child.kill()


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_process_has_sessions_of_its_own(by_engine: CLIP, by_numpy: CLIP) -> None:
    """Or says that the library cannot have any there, for it would wait for ever."""
    ids = ids_of(by_numpy, 4, 6)
    expected = by_engine.encode_text(ids)
    found = in_a_fork(lambda: by_engine.encode_text(ids))
    if isinstance(found, EngineError):
        assert "forked from one that has used it" in str(found)
    else:
        assert_near(found, expected)


def test_the_fingerprint_of_a_text_model_is_that_of_its_weights(engine: str) -> None:
    images, texts = FAMILIES / "open_clip-bert", FAMILIES / "mclip-bert"
    by_numpy, _ = numpyclip.load(images, text_model=texts)
    by_engine, _ = numpyclip.load(images, text_model=texts, engine=engine, precision="int8")
    assert by_engine.fingerprint.text_model == by_numpy.fingerprint.text_model
    assert by_engine.fingerprint.precision != by_numpy.fingerprint.precision
