"""Lists of words, and their embeddings, which are kept."""

import re
from pathlib import Path

import numpy as np
import pytest

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.runtime.prepared import prepared_files, save_prepared
from numpyclip.tasks.vocabulary import embed_vocabulary, everyday_nouns, read_words

pytestmark = pytest.mark.usefixtures("own_cache")

TEXTS = [f"{n} dogs" for n in range(600)]


class Counting:
    """A model that counts what it embeds."""

    def __init__(self, model: CLIP) -> None:
        self.config, self.fingerprint, self.embedded = model.config, model.fingerprint, 0
        self._model = model

    def embed_texts(self, texts: list[str]) -> object:
        self.embedded += len(texts)
        return self._model.embed_texts(texts)


def test_texts_are_embedded_once_and_mapped_again(tiny: CLIP) -> None:
    model = Counting(tiny)
    first = embed_vocabulary(model, TEXTS)  # type: ignore[arg-type]
    second = embed_vocabulary(model, TEXTS)  # type: ignore[arg-type]
    assert model.embedded == 600
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(first, tiny.embed_texts(TEXTS))
    [file] = prepared_files()  # which `numpyclip models cache` lists, and clears
    assert re.fullmatch(r"[0-9a-f]{32}-words-v2\.safetensors", file.name)


def test_other_texts_and_other_models_have_files_of_their_own(tiny: CLIP) -> None:
    model = Counting(tiny)
    embed_vocabulary(model, TEXTS)  # type: ignore[arg-type]
    embed_vocabulary(model, TEXTS[::-1])  # type: ignore[arg-type]
    model.fingerprint = type(model.fingerprint)("another", *(["x"] * 4))
    embed_vocabulary(model, TEXTS)  # type: ignore[arg-type]
    assert len(prepared_files()) == 3
    assert model.embedded == 1800


def test_texts_of_several_lines_or_with_bytes_that_are_no_text_have_files_of_their_own(tiny: CLIP) -> None:
    for texts in (["dog\ncat", "horse"], ["dog", "cat\nhorse"], ["\udcff", "horse"]):
        np.testing.assert_allclose(embed_vocabulary(tiny, texts + TEXTS)[:2], tiny.embed_texts(texts), atol=1e-5)


def test_a_file_that_was_cut_short_or_is_another_is_made_again(tiny: CLIP) -> None:
    expected = embed_vocabulary(tiny, TEXTS).copy()
    [file] = prepared_files()
    file.write_bytes(file.read_bytes()[:1000])
    np.testing.assert_array_equal(embed_vocabulary(tiny, TEXTS), expected)
    name = file.name.partition("-")[0]
    save_prepared(name, "words", {"embeddings": expected[:, :64].copy()}, least_bytes=0)
    np.testing.assert_array_equal(embed_vocabulary(tiny, TEXTS), expected)
    save_prepared(name, "words", {"other": expected}, least_bytes=0)
    np.testing.assert_array_equal(embed_vocabulary(tiny, TEXTS), expected)


def test_nothing_is_kept_where_that_is_switched_off(
    tiny: CLIP, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("NUMPYCLIP_CACHE", "0")
    monkeypatch.chdir(tmp_path)
    model = Counting(tiny)
    for _ in range(2):
        embed_vocabulary(model, TEXTS)  # type: ignore[arg-type]
    assert model.embedded == 1200
    assert list(tmp_path.iterdir()) == []


def test_short_lists_are_not_kept(tiny: CLIP) -> None:
    embed_vocabulary(tiny, TEXTS[:20])
    assert prepared_files() == []


@pytest.mark.parametrize("name", ["background", "nouns", "adjectives"])
def test_the_lists_hold_each_word_once_and_nothing_offensive(name: str) -> None:
    words = [line.partition("\t")[0] for line in read_words(name)]
    assert len(set(words)) == len(words) >= 100
    assert all(re.fullmatch("[a-z]+( [a-z]+)*", word) for word in words)
    assert not {"bitch", "shit", "whore", "nazi", "slave", "thief", "idiot", "terrorist", "corpse"} & set(words)


def test_nouns_name_broader_ones_that_are_nouns_themselves() -> None:
    broader = everyday_nouns()
    assert set(broader["dog"]) == {"animal", "mammal"}
    assert all(other in broader and noun not in broader[other] for noun in broader for other in broader[noun])
    assert not set(broader) & set(read_words("adjectives"))
