import io
import pickle
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageSequence
from threadpoolctl import threadpool_limits

from numpyclip.dual_encoder import encoder
from numpyclip.dual_encoder.clip import CLIP
from numpyclip.errors import CorruptCheckpointError, InputError, PictureError, TextTooLongError
from numpyclip.images.preprocess import Preprocess
from numpyclip.loader import load
from numpyclip.tokenizer.clip_tokenizer import tokenize
from numpyclip.weights.catalogue import EMBEDDED
from tests.model.golden import load_golden

RANDOM = np.random.default_rng(0)


def some_pictures(n: int) -> list[Image.Image]:
    return [Image.fromarray(RANDOM.integers(0, 256, (70 + i, 90, 3), np.uint8)) for i in range(n)]


def relative(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Largest distance of two embeddings, over the length."""
    return float((np.linalg.norm(ours - theirs, axis=1) / np.linalg.norm(theirs, axis=1)).max(initial=0))


@pytest.mark.parametrize("n", [0, 1, 2, 33])
def test_any_batch_size_gives_each_picture_the_same_embedding(tiny: CLIP, n: int) -> None:
    pixels = np.stack([tiny.preprocess(picture) for picture in some_pictures(max(n, 1))])[:n]
    together = tiny.encode_image(pixels)
    assert together.shape == (n, 128)
    assert together.dtype == np.float32
    alone = [tiny.encode_image(one[np.newaxis]) for one in pixels]
    assert relative(together, np.concatenate([together[:0], *alone])) < 1e-6  # BLAS adds in another order


@pytest.mark.parametrize("file", ["vit-torchscript.pt", "resnet-torchscript.pt"])
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_any_number_of_threads_and_mates_gives_the_same_embeddings(checkpoints: Path, file: str, threads: int) -> None:
    model, _ = load_golden(checkpoints, file)
    n = model.context_length
    images = RANDOM.standard_normal((41, 3, *model.preprocess.sides)).astype(np.float32)
    texts = RANDOM.integers(3, model.vocab_size - 1, (200, n))
    texts[:, :2] = 1, 2  # all begin alike
    texts[np.arange(200), RANDOM.integers(2, n, 200)] = model.vocab_size - 1
    with threadpool_limits(threads, "blas"):
        together = model.encode_image(images), model.encode_text(texts)
    alone = (
        [model.encode_image(one[np.newaxis]) for one in images],
        [model.encode_text(one[np.newaxis]) for one in texts],
    )
    assert relative(together[0], np.concatenate(alone[0])) < 1e-6
    assert relative(together[1], np.concatenate(alone[1])) < 1e-6


@pytest.mark.parametrize("file", ["vit-torchscript.pt", "resnet-torchscript.pt"])
def test_batches_of_one_give_equal_bits_whatever_the_others_are(checkpoints: Path, file: str) -> None:
    model, _ = load_golden(checkpoints, file)
    pictures = RANDOM.integers(0, 256, (9, *model.preprocess.sides, 3), np.uint8)
    ids = RANDOM.integers(3, model.vocab_size - 1, (9, model.context_length))
    ids[:, :2], ids[:, -1] = (1, 2), model.vocab_size - 1
    with threadpool_limits(1, "blas"), pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(model), "tokenize", lambda self, texts, truncate: ids[[int(text) for text in texts]])
        images = model.embed_images(pictures, batch_size=1)
        texts = model.embed_texts([*"012345678"], batch_size=1)
        for order in ([8, 0, 3], [3, 3, 5, 1, 8, 7]):
            assert np.array_equal(model.embed_images(pictures[order], batch_size=1), images[order])
            assert np.array_equal(model.embed_texts([str(i) for i in order], batch_size=1), texts[order])
        assert np.allclose(model.embed_images(pictures), images, rtol=0, atol=1e-6)
        assert np.allclose(model.embed_texts([*"012345678"]), texts, rtol=0, atol=1e-6)


def test_padding_behind_the_end_mark_does_not_matter(tiny: CLIP) -> None:
    ids = tokenize(["a red apple"])
    short = tiny.encode_text(ids[:, :5])
    np.testing.assert_allclose(tiny.encode_text(ids), short, rtol=0, atol=2e-6 * np.abs(short).max())


def test_embed_images_is_encode_image_at_unit_length(tiny: CLIP) -> None:
    pictures = some_pictures(3)
    expected = tiny.encode_image(np.stack([tiny.preprocess(picture) for picture in pictures]))
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    embedded = tiny.embed_images(pictures, batch_size=2)
    assert embedded.dtype == np.float32
    np.testing.assert_allclose(embedded, expected, atol=1e-6)


def test_embed_texts_is_encode_text_at_unit_length(tiny: CLIP) -> None:
    texts = ["a dog", "", "two red apples on a table"]
    expected = tiny.encode_text(tokenize(texts))
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(tiny.embed_texts(iter(texts), batch_size=2), expected, atol=1e-6)
    np.testing.assert_allclose(tiny.embed_texts("a dog"), expected[:1], atol=1e-6)


def test_a_picture_embeds_alike_however_it_is_given(tiny: CLIP, bird: Path) -> None:
    picture = Image.open(bird)
    kinds: list[Any] = [str(bird), bird, bird.read_bytes(), picture, np.asarray(picture)]
    together = tiny.embed_images(kinds)
    alone = np.concatenate([tiny.embed_images(kind) for kind in kinds])
    for rows in (together, alone):
        np.testing.assert_allclose(rows, np.repeat(together[:1], 5, axis=0), atol=1e-6)


def test_an_array_of_pictures_is_a_batch_and_one_picture_is_not(tiny: CLIP) -> None:
    pictures = RANDOM.integers(0, 256, (3, 64, 80, 3), np.uint8)
    assert tiny.embed_images(pictures).shape == (3, 128)
    assert tiny.embed_images(pictures[0]).shape == (1, 128)
    assert tiny.embed_images(pictures[0, :, :, 0]).shape == (1, 128)


def test_embed_images_turns_pictures_as_exif_says_unless_told_not_to(tiny: CLIP) -> None:
    upright = some_pictures(1)[0]
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    file = io.BytesIO()
    upright.transpose(Image.Transpose.ROTATE_90).save(file, "PNG", exif=exif)
    expected = tiny.embed_images(upright)
    np.testing.assert_allclose(tiny.embed_images(file.getvalue()), expected, atol=1e-6)
    assert np.abs(tiny.embed_images(file.getvalue(), orient=False) - expected).max() > 1e-3


def test_embed_images_reads_at_most_one_batch_ahead(tiny: CLIP, monkeypatch: pytest.MonkeyPatch) -> None:
    events = []

    def source() -> Iterator[Image.Image]:
        for picture in some_pictures(7):
            events.append("picture")
            yield picture

    def in_chunks(_: object, pixels: np.ndarray, cost: int, embed_dim: int, low_memory: bool) -> np.ndarray:
        events.append(f"{len(pixels)} embedded")
        return np.ones((len(pixels), embed_dim), np.float32)

    monkeypatch.setattr(encoder, "in_chunks", in_chunks)
    tiny.embed_images(source(), batch_size=2)
    assert events[:4] == ["picture"] * 3 + ["2 embedded"]
    assert [event for event in events if event != "picture"] == ["2 embedded"] * 3 + ["1 embedded"]
    events.clear()
    tiny.embed_images(source(), batch_size=1)
    assert events == ["picture", "1 embedded"] * 7  # one at a time: nothing is read ahead


@pytest.mark.parametrize("threads", [1, 2])
def test_pictures_keep_their_order_on_any_number_of_threads(tiny: CLIP, threads: int) -> None:
    pictures = [np.full((64 + i, 64, 3), 25 * i, np.uint8) for i in range(10)]
    expected = np.concatenate([tiny.embed_images(picture) for picture in pictures])
    with threadpool_limits(threads, "blas"):
        np.testing.assert_allclose(tiny.embed_images(pictures, batch_size=3), expected, atol=1e-6)


@pytest.mark.parametrize("threads", [1, 2])
def test_pictures_that_their_owner_changes_are_read_before_the_next_one(tiny: CLIP, threads: int) -> None:
    frames = [Image.fromarray(RANDOM.integers(0, 256, (8, 8, 3), np.uint8)).resize((300, 300)) for _ in range(5)]
    file = io.BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])

    def one_canvas() -> Iterator[Image.Image]:
        canvas = Image.new("RGB", (300, 300))
        for frame in frames:
            canvas.paste(frame)
            yield canvas

    def one_buffer() -> Iterator[np.ndarray]:
        buffer = np.empty((300, 300, 3), np.uint8)
        for frame in frames:
            buffer[:] = np.asarray(frame)
            yield buffer

    def closed_behind() -> Iterator[Image.Image]:
        for frame in frames:
            with frame.copy() as copy:
                yield copy

    gif = ImageSequence.Iterator(Image.open(file))
    with threadpool_limits(threads, "blas"):
        expected = tiny.embed_images(frames)
        for stream in (one_canvas(), one_buffer(), closed_behind()):
            np.testing.assert_allclose(tiny.embed_images(stream), expected, atol=1e-6)
        every_frame = np.concatenate([tiny.embed_images(frame.copy()) for frame in ImageSequence.Iterator(gif.im)])
        np.testing.assert_allclose(tiny.embed_images(gif), every_frame, atol=1e-6)


def test_a_tower_takes_what_preprocess_gives(tiny: CLIP) -> None:
    """Scripts for openai/CLIP call `model.visual` themselves."""
    pixels = tiny.preprocess(some_pictures(1)[0])[np.newaxis]
    np.testing.assert_array_equal(tiny.visual(pixels), tiny.encode_image(pixels))


def test_cropped_pixels_embed_like_normalised_ones(tiny: CLIP) -> None:
    picture = some_pictures(1)[0]
    pixels = tiny.encode_image(tiny.preprocess.crop(picture)[np.newaxis])
    normalized = tiny.encode_image(tiny.preprocess(picture)[np.newaxis])
    np.testing.assert_allclose(pixels, normalized, rtol=0, atol=2e-6 * np.abs(normalized).max())


def test_the_config_of_preprocess_makes_the_same_preprocess_again(tiny: CLIP) -> None:
    config = tiny.preprocess_config
    assert config["profile"] == "openai"
    assert Preprocess(**config) == tiny.preprocess  # type: ignore[arg-type]


def test_a_draft_is_near_the_exact_embedding_and_not_equal(tiny: CLIP, emoji: dict[str, Image.Image]) -> None:
    file = io.BytesIO()
    emoji["bird"].resize((1024, 1024)).save(file, "JPEG")
    exact, draft = (tiny.embed_images(file.getvalue(), draft=draft)[0] for draft in (False, True))
    assert 0.999 < exact @ draft < 1 - 1e-9


def test_memory_stays_flat_over_a_long_stream(tiny: CLIP) -> None:
    picture = some_pictures(1)[0]

    def peak(n: int) -> int:
        tracemalloc.start()
        tiny.embed_images((picture for _ in range(n)), batch_size=4)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    with threadpool_limits(1, "blas"):
        peak(4)  # what is made once
        assert peak(48) < 1.2 * peak(8) + 48 * 128 * 4
    with threadpool_limits(2, "blas"):  # what is at work at one time varies, so: less than all pixels would take
        peak(4)
        assert peak(400) < 400 * 64 * 64 * 3


def test_nothing_to_embed_gives_no_rows(tiny: CLIP) -> None:
    assert tiny.embed_images([]).shape == tiny.embed_texts([]).shape == (0, 128)
    assert tiny.encode_text(tokenize([])).shape == (0, 128)


def test_classify_gives_probabilities_best_for_the_true_label(tiny: CLIP, bird: Path) -> None:
    probabilities = tiny.classify([bird, bird], ["a red apple", "bird", "a house"])
    assert probabilities.shape == (2, 3)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1, rtol=1e-6)
    assert probabilities.argmax(axis=1).tolist() == [1, 1]


def test_classify_puts_labels_into_the_template(tiny: CLIP, bird: Path) -> None:
    whole = tiny.classify(bird, ["a drawing of a bird", "a drawing of a {house}"])
    np.testing.assert_allclose(tiny.classify(bird, ["bird", "{house}"], template="a drawing of a {}"), whole, atol=1e-6)


def test_calling_the_model_gives_scaled_cosines_both_ways(tiny: CLIP, bird: Path) -> None:
    image = tiny.preprocess(Image.open(bird))[np.newaxis]
    per_image, per_text = tiny(image, tokenize(["bird", "a dog"]))
    expected = np.exp(tiny.logit_scale) * tiny.embed_images(bird) @ tiny.embed_texts(["bird", "a dog"]).T
    np.testing.assert_allclose(per_image, expected, rtol=1e-5)
    np.testing.assert_array_equal(per_text, per_image.T)


@pytest.mark.parametrize(
    "image",
    [
        np.zeros((3, 64, 64), np.float32),
        np.zeros((1, 64, 64, 3), np.float32),
        np.zeros((1, 3, 65, 64), np.float32),
        np.zeros((1, 3, 64, 64), np.uint8),
        np.zeros((64, 64, 3), np.uint8),
    ],
)
def test_encode_image_says_what_it_expects(tiny: CLIP, image: np.ndarray) -> None:
    with pytest.raises(InputError, match=r"floating point of shape \(n, 3, 64, 64\)"):
        tiny.encode_image(image)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (np.zeros(77, np.int32), "expected integers of shape"),
        (np.zeros((1, 78), np.int32), "expected integers of shape"),
        (np.zeros((1, 77), np.float32), "expected integers of shape"),
        (np.full((1, 77), 49408), "expected 0..49407"),
        (np.full((1, 77), -1), "expected 0..49407"),
    ],
)
def test_encode_text_says_what_it_expects(tiny: CLIP, text: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        tiny.encode_text(text)


@pytest.mark.parametrize("value", [[[1.0], [2.0, 3.0]], None, "a dog", [["a"]], object()])
def test_what_is_no_array_is_refused(tiny: CLIP, value: Any) -> None:
    embedding = np.ones((1, 128), np.float32)
    calls = (
        tiny.encode_image,
        tiny.encode_text,
        lambda v: tiny.logits(v, embedding),
        lambda v: tiny.logits(embedding, v),
    )
    for call in calls:
        with pytest.raises(InputError, match="expected"):
            call(value)


@pytest.mark.parametrize("labels", ["bird", [], b"ab", None, [1, 2], 7, ["bird", None]])
def test_classify_wants_a_list_of_labels(tiny: CLIP, bird: Path, labels: Any) -> None:
    with pytest.raises(InputError, match=r"labels.* expected (a list|str)"):
        tiny.classify(bird, labels)


@pytest.mark.parametrize("template", ["a photo", None, 3, b"{}"])
def test_classify_wants_a_place_in_the_template(tiny: CLIP, bird: Path, template: Any) -> None:
    with pytest.raises(InputError, match="where the label goes"):
        tiny.classify(bird, ["bird"], template=template)


@pytest.mark.parametrize("batch_size", [np.int64(4), np.uint8(4), 4])
def test_a_batch_size_is_any_whole_number(tiny: CLIP, batch_size: int) -> None:
    picture = some_pictures(1)[0]
    assert tiny.embed_images([picture] * 5, batch_size).shape == (5, 128)
    assert tiny.embed_texts(["a"] * 5, batch_size).shape == (5, 128)


@pytest.mark.parametrize("batch_size", [True, 0, -1, 2.0, "2", None, 10**30])
def test_a_batch_size_that_is_none_is_refused(tiny: CLIP, batch_size: Any) -> None:
    picture = some_pictures(1)[0]
    calls: tuple[Callable[[], object], ...] = (
        lambda: tiny.embed_images(picture, batch_size),
        lambda: tiny.embed_texts("a", batch_size),
    )
    for call in calls:
        with pytest.raises(InputError, match=r"batch_size is .*; expected an integer of 1 or more"):
            call()


@pytest.mark.parametrize("dtype", [np.float64, np.float16, np.float32, list])
def test_scores_are_float32_whatever_embeddings_were_kept_as(tiny: CLIP, dtype: Any) -> None:
    images, texts = tiny.embed_images(some_pictures(2)), tiny.embed_texts(["a dog", "a house", "a bird"])
    expected = tiny.logits(images, texts)
    kept = [array.tolist() if dtype is list else array.astype(dtype) for array in (images, texts)]
    for scores in (tiny.logits(*kept), tiny.probabilities(*kept)):
        assert scores.dtype == np.float32
    np.testing.assert_allclose(tiny.logits(*kept), expected, atol=0.1 if dtype is np.float16 else 1e-5)


@pytest.mark.parametrize(
    ("images", "texts"), [((2, 128), (3, 64)), ((2, 64), (3, 64)), ((128,), (3, 128)), ((2, 128), ())]
)
def test_embeddings_of_another_size_are_refused(tiny: CLIP, images: tuple[int, ...], texts: tuple[int, ...]) -> None:
    for score in (tiny.logits, tiny.probabilities):
        with pytest.raises(InputError, match=r"embeddings of (images|texts) have shape .*; expected \(n, 128\)"):
            score(np.zeros(images, np.float32), np.zeros(texts, np.float32))


def test_nothing_against_nothing_scores_nothing(tiny: CLIP) -> None:
    some, none = np.ones((2, 128), np.float32), np.ones((0, 128), np.float32)
    for score in (tiny.logits, tiny.probabilities):
        assert score(some, none).shape == (2, 0)
        assert score(none, some).shape == (0, 2)
        assert score(none, none).shape == (0, 0)


def test_a_text_that_is_too_long_is_named_or_cut(tiny: CLIP) -> None:
    with pytest.raises(TextTooLongError, match="dog dog"):
        tiny.embed_texts("dog " * 100)
    assert tiny.embed_texts("dog " * 100, truncate=True).shape == (1, 128)
    with pytest.raises(TextTooLongError, match="dog dog"):
        tiny.tokenize("dog " * 100)
    assert np.array_equal(tiny.tokenize("dog " * 100, truncate=True), tokenize("dog " * 100, truncate=True))


def test_a_long_text_is_quoted_wherever_it_stands(tiny: CLIP) -> None:
    with pytest.raises(TextTooLongError, match=r"^text 'dog dog"):
        tiny.embed_texts([*["a"] * 40, "dog " * 100])


SHORT = ["\ud800", "a \udc00 dog", "\0", "\x1b[2J", "&#" + "1" * 5000 + ";", " " * 10**6]
LONG = ["a" * 100_000, "\u4e2d" * 4000]


@pytest.mark.parametrize("text", SHORT + LONG, ids=lambda text: ascii(text[:8]))
def test_any_text_is_embedded(tiny: CLIP, text: str) -> None:
    embedding = tiny.embed_texts([text, "dog"], truncate=True)
    assert np.linalg.norm(embedding, axis=1).tolist() == pytest.approx([1, 1], rel=1e-5)
    if text in SHORT:
        assert np.array_equal(tiny.embed_texts([text, "dog"]), embedding)
        return
    with pytest.raises(TextTooLongError, match=r"^text '.*'\.\.\.: .* expected at most 77 tokens; shorten it"):
        tiny.embed_texts(text)


@pytest.mark.parametrize("text", ["\ud800", "a \udc00 dog", "\0", "\x1b[2J"], ids=ascii)
def test_any_text_is_a_label_or_in_a_template(tiny: CLIP, bird: Path, text: str) -> None:
    assert tiny.classify(bird, [text, "bird"]).argmax() == 1
    assert tiny.classify(bird, ["dog", "bird"], template=text + "{}").shape == (1, 2)


def test_a_text_whose_embedding_is_not_finite_is_quoted(tiny: CLIP, tmp_path: Path) -> None:
    arrays = dict(np.load(EMBEDDED["tiny"]))
    table = arrays["token_embedding.weight"] = arrays["token_embedding.weight"].astype(np.float32)
    table[tokenize("dog")[0, 1]] = 3e38  # finite, but its square is not
    np.savez(tmp_path / "copy.npz", **arrays)
    model, _ = load(tmp_path / "copy.npz", activation="quick_gelu")
    assert np.array_equal(model.embed_texts(["cat"]), tiny.embed_texts(["cat"]))
    for texts, error in (["a dog"], CorruptCheckpointError), (["cat", "a dog"], InputError):
        with np.errstate(all="ignore"), pytest.raises(error, match=r"^text 'a dog': its embedding has NaN or infinity"):
            model.embed_texts(texts)


def test_a_picture_that_cannot_be_read_is_named(tiny: CLIP, tmp_path: Path) -> None:
    with pytest.raises(PictureError, match=r"nowhere\.png"):
        tiny.embed_images([tmp_path / "nowhere.png"])


@pytest.mark.parametrize("scale", [np.nan, np.inf, -np.inf, 200])
def test_a_logit_scale_that_makes_scores_nan_is_refused(scale: float, tmp_path: Path) -> None:
    arrays = {**np.load(EMBEDDED["tiny"]), "logit_scale": np.float32(scale)}
    np.savez(tmp_path / "copy.npz", **arrays)
    with pytest.raises(
        CorruptCheckpointError,
        match=r"copy\.npz: .*logit_scale.* expected (a )?finite number",
    ):
        load(tmp_path / "copy.npz", activation="quick_gelu")


def test_a_logit_scale_of_one_dimension_is_a_number_too(tiny: CLIP, tmp_path: Path) -> None:
    arrays = {**np.load(EMBEDDED["tiny"]), "logit_scale": np.full(1, 2.5, np.float32)}
    np.savez(tmp_path / "copy.npz", **arrays)
    model, _ = load(tmp_path / "copy.npz", activation="quick_gelu")
    assert model.logit_scale.shape == ()
    assert model.logit_scale == 2.5


def test_the_sizes_that_scripts_for_openai_clip_read_are_there(tiny: CLIP) -> None:
    assert (tiny.visual.input_resolution, tiny.context_length, tiny.vocab_size) == (64, 77, 49408)
    assert tiny.tokenize("a dog").shape == (1, 77)


def test_the_weights_cannot_be_changed(tiny: CLIP) -> None:
    def arrays(record: object) -> Iterator[np.ndarray]:
        if isinstance(record, np.ndarray):
            yield record
        parts = record if isinstance(record, tuple) else vars(record).values() if is_dataclass(record) else ()
        for part in parts:
            yield from arrays(part)

    parts = (tiny, tiny.visual, tiny.text)
    assert sum(array.size for array in arrays(parts)) > 8_000_000
    assert not any(array.flags.writeable for array in arrays(parts))
    with pytest.raises(AttributeError):
        tiny.logit_scale = np.zeros((), np.float32)  # type: ignore[misc, assignment]


def test_a_model_prints_its_sizes_and_has_an_identity(tiny: CLIP) -> None:
    assert repr(tiny) == f"CLIP(openai, 64 px, 77 tokens, 128 dimensions, from {str(EMBEDDED['tiny'])!r})"
    assert repr(pickle.loads(pickle.dumps(tiny))) == "CLIP(openai, 64 px, 77 tokens, 128 dimensions)"
    assert len({tiny, tiny}) == 1


def test_a_model_is_a_table_in_a_notebook(tiny: CLIP) -> None:
    html = tiny._repr_html_()
    assert "<tr><th>embeddings</th><td>128 dimensions</td></tr>" in html
    assert "tiny.npz" in html


def test_a_model_can_be_sent_to_another_process(tiny: CLIP) -> None:
    copy = pickle.loads(pickle.dumps(tiny))
    np.testing.assert_array_equal(copy.embed_texts("a dog"), tiny.embed_texts("a dog"))


def test_one_model_serves_many_threads(tiny: CLIP) -> None:
    pictures = some_pictures(8)
    expected = tiny.embed_images(pictures, batch_size=1)
    results = np.zeros_like(expected)

    def work(i: int) -> None:
        results[i] = tiny.embed_images(pictures[i])[0]

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    np.testing.assert_allclose(results, expected, atol=1e-6)


def test_views_are_rows_of_an_image_and_named_in_its_record(tiny: CLIP) -> None:
    wide, square = Image.fromarray(RANDOM.integers(0, 256, (64, 200, 3), np.uint8)), some_pictures(1)[0]
    rows = tiny.embed_images([wide, square], views=("tiles", "crop", "squash"))
    records = list(tiny.iter_embeddings([wide, square], 1, views=["crop", "squash", "tiles"]))
    assert [list(record.views) for record in records] == [
        ["crop", "squash", "left", "left-2", "right-2", "right"],
        ["crop", "squash"],
    ]
    np.testing.assert_allclose(rows, [row for record in records for row in record.views.values()], atol=1e-6)
    for record, image in zip(records, (wide, square), strict=True):
        np.testing.assert_array_equal(record.embedding, tiny.embed_images(image, 1)[0])
    assert list(next(tiny.iter_embeddings([wide])).views) == ["crop"]
    np.testing.assert_allclose(records[0].views["left"], tiny.embed_images(wide.crop((0, 0, 64, 64)))[0], atol=1e-6)
    with pytest.raises(InputError, match="views is 'tile'; expected"):
        tiny.embed_images(wide, views="tile")  # type: ignore[arg-type]


def test_an_image_is_classified_by_its_best_view(tiny: CLIP, emoji: dict[str, Image.Image]) -> None:
    wide = Image.new("RGB", (192, 64), "white")
    wide.paste(emoji["bird"], (0, 0))
    labels = ["a bird", "a camera"]
    found = tiny.classify([wide, emoji["camera"], wide], labels, views=("crop", "tiles"))
    np.testing.assert_allclose(found[0], tiny.classify(emoji["bird"], labels)[0], atol=1e-5)
    np.testing.assert_allclose(found[1], tiny.classify(emoji["camera"], labels)[0], atol=1e-5)
    np.testing.assert_allclose(found[2], found[0], atol=1e-6)
    assert tiny.classify([], labels, views="tiles").shape == tiny.classify([], labels).shape == (0, 2)
