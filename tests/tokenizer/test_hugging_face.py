"""Tokenizers that lie beside the weights, against ids recorded by tools/golden/tokenizers.py from the libraries."""

import copy
import gzip
import json
import pickle
import shutil
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from numpyclip.errors import CheckpointError, InputError, MissingPackageError, TextTooLongError
from numpyclip.families.transformers_types import TYPES
from numpyclip.tokenizer import hugging_face as module
from numpyclip.tokenizer.base import Tokenizer
from numpyclip.tokenizer.cleaning import OPEN_CLIP
from numpyclip.tokenizer.clip_tokenizer import open_clip_tokenizer
from numpyclip.tokenizer.clip_transformers import TransformersCLIPTokenizer, cut_out
from numpyclip.tokenizer.file_tokenizer import FileTokenizer
from numpyclip.tokenizer.hugging_face import hugging_face_tokenizer, open_clip_file_tokenizer
from tests.clip_folders import FOLDERS, described, of_openai, of_openai_without_json, of_version_5, vocabulary, write

FOLDER = Path(__file__).parents[1] / "golden" / "tokenizers"
NEEDS = {"siglip": "sentencepiece"}  # the others need `tokenizers`


@cache
def golden() -> dict[str, Any]:
    data: dict[str, Any] = json.loads(gzip.decompress((FOLDER / "ids.json.gz").read_bytes()))
    return data


def needs(folder: str) -> None:
    package = NEEDS.get(folder, "tokenizers")
    pytest.importorskip(package, reason=f"the extra numpyclip[tokenizers] is not installed: no {package}")


def recorded(library: str) -> list[str]:
    return [case for case in golden()["ids"] if case.startswith(library)]


def of_open_clip(name: str, clean: str = "canonicalize") -> Tokenizer:
    needs(name)
    return open_clip_file_tokenizer(FOLDER / name, "of/someone", clean, name.startswith("bert"))


def of_someone(path: Path) -> Tokenizer:
    return open_clip_file_tokenizer(path, "", "whitespace", strip_sep_token=False)


def of_siglip(name: str) -> Tokenizer:
    needs(name)
    return of_family("siglip", FOLDER / name)


def of_family(model_type: str, folder: Path) -> Tokenizer:
    family, _ = TYPES[model_type]
    return hugging_face_tokenizer(folder, family.tokenizer)


@pytest.fixture
def folder(tmp_path: Path) -> Callable[[str], Path]:
    """Copy one of the golden folders, to be changed."""
    return lambda name: Path(shutil.copytree(FOLDER / name, tmp_path / name))


def change(path: Path, **options: object) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text("utf-8")), **options}), "utf-8")


def assert_equal(tokenizer: Tokenizer, case: str, texts: list[str] | None = None) -> None:
    for text, row in zip(golden()["texts"], golden()["ids"][case], strict=True):
        if texts is None or text in texts:
            assert tokenizer([text], golden()["context_length"], truncate=True).tolist() == [row], ascii(text)


# --- ids of the libraries -------------------------------------------------------------------------


@pytest.mark.parametrize("case", recorded("open_clip native"))
def test_ids_equal_those_of_openclips_own_tokenizer(case: str) -> None:
    assert_equal(open_clip_tokenizer(case.split()[-1]), case)


@pytest.mark.parametrize("case", [case for case in recorded("open_clip") if "native" not in case])
def test_ids_equal_those_of_openclip(case: str) -> None:
    _, name, clean = case.split()
    assert_equal(of_open_clip(name, clean), case)


def test_nllbs_first_token_is_that_of_the_language(folder: Callable[[str], Path]) -> None:
    """Whatever the file says: transformers' class replaces that."""
    needs("nllb")
    path = folder("nllb")
    content = json.loads((path / "tokenizer.json").read_text("utf-8"))
    change(path / "tokenizer.json", post_processor={**content["post_processor"], "single": []})
    changed = of_someone(path)
    assert_equal(changed, "open_clip nllb whitespace")
    change(path / "tokenizer_config.json", src_lang="fra_Latn")
    french = of_someone(path)
    assert_equal(french, "language nllb fra_Latn")
    assert len({tokenizer.name for tokenizer in (french, changed, of_open_clip("nllb", "whitespace"))}) == 3


def test_of_an_older_nllb_the_language_comes_last(folder: Callable[[str], Path]) -> None:
    needs("nllb")
    path = folder("nllb")
    change(path / "tokenizer_config.json", src_lang="zul_Latn", legacy_behaviour=True, eos_token={"content": "</s>"})
    tokenizer = of_someone(path)
    assert tokenizer("", 4).tolist() == [[2, 805, 1, 1]]
    change(path / "tokenizer_config.json", src_lang="xyz_Latn")
    with pytest.raises(CheckpointError, match="has no token 'xyz_Latn'; expected the code of a"):
        of_someone(path)


@pytest.mark.parametrize("name", ["mt5", "xlm-roberta-model"])
def test_the_name_of_sentencepieces_file_tells_whose_it_is(name: str, folder: Callable[[str], Path]) -> None:
    needs(name)
    path = folder(name)
    expected = of_someone(path)(golden()["texts"], 32, True)
    for kind in (None, "MT5Tokenizer") if name == "mt5" else (None,):
        change(path / "tokenizer_config.json", tokenizer_class=kind)
        assert np.array_equal(of_someone(path)(golden()["texts"], 32, True), expected)


@pytest.mark.parametrize("count", [-1, 1001, "5", True])
def test_the_number_of_t5s_sentinels_is_limited(count: object, folder: Callable[[str], Path]) -> None:
    needs("mt5")
    path = folder("mt5")
    change(path / "tokenizer_config.json", extra_ids=count)
    with pytest.raises(CheckpointError, match=r"extra_ids is .*; expected 0 to 1000"):
        of_someone(path)


def test_t5s_sentinels_come_behind_the_pieces(folder: Callable[[str], Path]) -> None:
    needs("mt5")
    path = folder("mt5")
    change(path / "tokenizer_config.json", extra_ids=2)
    tokenizer = of_someone(path)
    assert tokenizer("<extra_id_0><extra_id_1>", 4).tolist() == [[801, 800, 1, 0]]


@pytest.mark.parametrize("name", ["siglip", "gemma"])
def test_ids_equal_those_of_siglip_in_transformers(name: str) -> None:
    assert_equal(of_siglip(name), f"transformers {name}")


@pytest.mark.parametrize(
    "case",
    [case for library in ("metaclip_2", "altclip", "chinese_clip") for case in recorded(f"transformers {library}")],
)
def test_ids_equal_those_of_the_other_families_in_transformers(case: str) -> None:
    _, model_type, name = case.split()
    needs(name)
    assert_equal(of_family(model_type, FOLDER / name), case)


@pytest.mark.parametrize("name", FOLDERS)
def test_ids_equal_those_of_clip_in_transformers_without_any_package(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    FOLDERS[name](tmp_path)
    tokenizer = of_family("clip", tmp_path)
    assert isinstance(tokenizer, TransformersCLIPTokenizer)
    assert_equal(tokenizer, f"transformers clip {name}")


# --- what peers get wrong without noticing --------------------------------------------------------


def test_siglip_is_padded_to_the_whole_length_with_the_end() -> None:
    for tokenizer in of_siglip("siglip"), of_open_clip("t5"):
        short, longer = tokenizer(["a", "the class of a class"], 64)
        assert short.shape == (64,)
        assert short[-1] == longer[-1] == 1
        assert short[10:].tolist() == [1] * 54


def test_siglip_reads_neither_case_nor_punctuation() -> None:
    for tokenizer in of_siglip("siglip"), of_open_clip("t5"):
        assert np.array_equal(tokenizer("The Class -- OF a class!", 64), tokenizer("the class of a class", 64))


def test_siglip_2_reads_punctuation_but_not_case() -> None:
    tokenizer = of_siglip("gemma")
    assert np.array_equal(tokenizer("The CLASS!", 64), tokenizer("the class!", 64))
    assert not np.array_equal(tokenizer("the class!", 64), tokenizer("the class", 64))


@pytest.mark.parametrize(
    ("model_type", "name"),
    [("metaclip_2", "xlm-roberta"), ("altclip", "xlm-roberta"), ("chinese_clip", "bert-vocab"), ("clip", "roberta")],
)
def test_case_counts_but_for_siglip(model_type: str, name: str) -> None:
    needs(name)
    tokenizer = of_family(model_type, FOLDER / name)
    assert not np.array_equal(tokenizer("The CLASS", 64), tokenizer("the class", 64))


@pytest.mark.parametrize(
    ("model_type", "name"), [("siglip", "siglip"), ("siglip", "gemma"), ("metaclip_2", "xlm-roberta")]
)
def test_a_tower_of_texts_alone_has_the_tokenizer_of_the_whole(
    model_type: str, name: str, folder: Callable[[str], Path]
) -> None:
    needs(name)
    path = folder(name)
    change(path / "tokenizer_config.json", tokenizer_class=None)
    whole, alone = of_family(model_type, path), of_family(f"{model_type}_text_model", path)
    assert alone.name == whole.name
    assert np.array_equal(alone(golden()["texts"], 32, True), whole(golden()["texts"], 32, True))


def test_clips_tower_of_texts_alone_needs_no_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tokenizers", None)
    of_openai(tmp_path)
    assert_equal(of_family("clip_text_model", tmp_path), "transformers clip of OpenAI")


def test_word_pieces_need_no_settings_for_chinese_clip(folder: Callable[[str], Path]) -> None:
    needs("bert")
    path = folder("bert-vocab")
    (path / "tokenizer_config.json").unlink()
    tokenizer = of_family("chinese_clip", path)
    assert np.array_equal(tokenizer("The CLASS", 64), tokenizer("the class", 64))  # as BertTokenizer itself


def test_case_counts_where_openclip_is_not_told_to_lower_it() -> None:
    tokenizer = of_open_clip("gemma", "whitespace")
    assert not np.array_equal(tokenizer("The CLASS", 64), tokenizer("the class", 64))


def test_the_separator_of_clipa_becomes_0() -> None:
    needs("bert")
    kept, blank = (open_clip_file_tokenizer(FOLDER / "bert", "", "whitespace", strip) for strip in (False, True))
    separator = kept("a", 32)[0, 2]
    assert separator != 0
    assert blank("a", 32)[0].tolist() == [*kept("a", 32)[0, :2], *([0] * 30)]


def test_an_exclamation_mark_is_the_padding_where_that_is_what_pads(tmp_path: Path) -> None:
    FOLDERS["padded with !"](tmp_path)
    assert of_family("clip", tmp_path)("a dog!", 8).tolist() == [[49406, 320, 1929, 0, 49407, 0, 0, 0]]
    of_version_5(tmp_path)
    row = [49406, 320, 1929, 256, 49407, 49407, 49407, 49407]
    assert of_family("clip", tmp_path)("a dog!", 8).tolist() == [row]


def test_of_two_words_that_begin_at_one_place_the_longer_is_cut_out() -> None:
    for words in (["<s>", "<s>a"], ["<s>a", "<s>"]):
        assert cut_out("x<s>ab<s>", words) == ["x", "<s>a", "b", "<s>", ""]


# --- rows -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["t5", "mt5", "bert", "roberta", "gemma"])
def test_a_text_that_is_too_long_is_refused_or_cut(name: str) -> None:
    tokenizer = of_open_clip(name)
    text = "class " * 40
    with pytest.raises(TextTooLongError, match=r"^text 'class .* expected at most 7 tokens;") as caught:
        tokenizer(["a", text], 7)
    count = int(str(caught.value).split(" tokens")[0].split()[-1])
    assert tokenizer(text, count).shape == (1, count)
    with pytest.raises(TextTooLongError):
        tokenizer(text, count - 1)
    assert tokenizer(text, 7, truncate=True).shape == (1, 7)


def test_one_text_is_a_list_of_one_and_none_are_no_rows() -> None:
    tokenizer = of_open_clip("t5")
    assert np.array_equal(tokenizer("a", 9), tokenizer(["a"], 9))
    assert tokenizer([], 9).shape == (0, 9)
    assert tokenizer("a", 9).dtype == np.int32


@pytest.mark.parametrize(("name", "shortest"), [("t5", 2), ("mt5", 2), ("bert", 3)])
def test_rows_too_short_for_the_marks_and_texts_that_are_none_are_refused(name: str, shortest: int) -> None:
    wrong: Any = [3]
    assert of_open_clip(name)("a", shortest, truncate=True).shape == (1, shortest)
    with pytest.raises(InputError, match=rf"context_length: found {shortest - 1}; expected the model's own"):
        of_open_clip(name)("a", shortest - 1)
    with pytest.raises(InputError, match="texts: found 3"):
        of_open_clip(name)(wrong, 9)


@pytest.mark.parametrize("name", ["t5", "mt5", "siglip", "gemma", "bert", "roberta"])
def test_halves_of_characters_are_read_as_replaced(name: str) -> None:
    tokenizer = of_open_clip(name, "whitespace")
    assert np.array_equal(tokenizer("a\ud800b", 32), tokenizer("a\ufffdb", 32))


def test_halves_of_characters_are_read_as_replaced_by_clip_of_transformers(tmp_path: Path) -> None:
    of_version_5(tmp_path)
    tokenizer = of_family("clip", tmp_path)
    assert np.array_equal(tokenizer("a\ud800b", 32), tokenizer("a\ufffdb", 32))


@pytest.mark.parametrize("name", ["t5", "siglip", "gemma", "bert"])
def test_ids_become_text_again_and_foreign_ones_are_refused(name: str) -> None:
    tokenizer = of_open_clip(name)
    assert "the class" in tokenizer.decode(tokenizer("the class", 32)[0])
    for wrong in -1, 10**6, 2**40:
        with pytest.raises(InputError, match="expected those of the vocabulary"):
            tokenizer.decode([5, wrong])
    for wrong_kind in None, [1.5], [True], "5":
        with pytest.raises(InputError, match=r"ids: found .*; expected"):
            tokenizer.decode(wrong_kind)  # type: ignore[arg-type]
    for length in 1, 32.0, 10**12, None:
        with pytest.raises(InputError, match="context_length: found"):
            tokenizer("a", length)  # type: ignore[arg-type]


# --- one tokenizer for a whole server -------------------------------------------------------------


@pytest.mark.parametrize("name", ["t5", "siglip", "gemma", "bert"])
def test_copies_give_the_same_ids_under_the_same_name(name: str, folder: Callable[[str], Path]) -> None:
    tokenizer = of_open_clip(name)
    elsewhere = open_clip_file_tokenizer(folder(name), "of/else", "canonicalize", name == "bert")
    for other in pickle.loads(pickle.dumps(tokenizer)), copy.deepcopy(tokenizer), elsewhere:
        assert other.name == tokenizer.name
        assert np.array_equal(other(golden()["texts"], 32, True), tokenizer(golden()["texts"], 32, True))


def test_clip_of_transformers_can_be_pickled(tmp_path: Path) -> None:
    of_openai(tmp_path)
    tokenizer = of_family("clip", tmp_path)
    other = pickle.loads(pickle.dumps(tokenizer))
    assert other.name == tokenizer.name
    assert np.array_equal(other(golden()["texts"], 32, True), tokenizer(golden()["texts"], 32, True))


def test_tokenizers_with_other_ids_have_other_names(tmp_path: Path) -> None:
    tokenizers = [of_open_clip(name, clean) for name in ("t5", "mt5", "gemma", "bert") for clean in OPEN_CLIP]
    tokenizers += [open_clip_file_tokenizer(FOLDER / "bert", "", "lower", strip_sep_token=False)]
    names = {tokenizer.name for tokenizer in [*tokenizers, of_siglip("siglip"), of_siglip("gemma")]}
    names |= {open_clip_tokenizer(clean).name for clean in OPEN_CLIP} | {"openai"}
    for name, make in FOLDERS.items():
        path = tmp_path / name
        path.mkdir()
        make(path)
        names.add(of_family("clip", path).name)
    assert len(names) == 13 + 2 + 4 + 4  # of the five folders, two find the marks alike


@pytest.mark.parametrize("name", ["t5", "siglip", "gemma"])
def test_threads_get_the_same_ids(name: str) -> None:
    tokenizer = of_open_clip(name)
    expected = tokenizer(golden()["texts"], 32, True)
    with ThreadPoolExecutor(8) as pool:
        for rows in pool.map(lambda _: tokenizer(golden()["texts"], 32, True), range(16)):
            assert np.array_equal(rows, expected)


# --- which file -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["t5", "mt5", "bert-vocab"])
def test_without_the_package_that_reads_it_the_message_says_how_to_install_it(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = NEEDS.get(name, "tokenizers")
    monkeypatch.setitem(sys.modules, package, None)
    tokenizer = open_clip_file_tokenizer(FOLDER / name, "", "lower", strip_sep_token=False)
    for use in (lambda: tokenizer("a", 16)), (lambda: tokenizer.decode([1])):
        with pytest.raises(
            MissingPackageError, match=rf"package '{package}' .*: pip install \"numpyclip\[tokenizers\]\""
        ):
            use()


@pytest.mark.parametrize("name", ["t5", "mt5", "siglip", "gemma", "bert", "bert-vocab"])
def test_the_name_does_not_depend_on_the_packages_that_are_installed(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = of_open_clip(name).name
    for package in "tokenizers", "sentencepiece":
        monkeypatch.setitem(sys.modules, package, None)
    assert open_clip_file_tokenizer(FOLDER / name, "", "canonicalize", name.startswith("bert")).name == expected


def test_without_files_the_message_says_where_they_come_from(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"has no tokenizer; expected .*: .*'a/repository'"):
        open_clip_file_tokenizer(tmp_path, "a/repository", "lower", strip_sep_token=False)
    for model_type, files in (
        ("clip", "tokenizer.json or vocab.json: "),
        ("clip_text_model", "tokenizer.json or vocab.json: "),
        ("siglip", "spiece.model or tokenizer.json: "),
        ("siglip2", "tokenizer.json: "),
        ("metaclip_2", "tokenizer.json or sentencepiece.bpe.model: "),
        ("chinese_clip", "tokenizer.json or vocab.txt: "),
    ):
        with pytest.raises(CheckpointError, match=rf"has no tokenizer for the class '\w+'; expected {files}"):
            of_family(model_type, tmp_path)


def test_siglip_without_its_spiece_model_is_read_from_json(folder: Callable[[str], Path]) -> None:
    needs("t5")
    path = folder("t5")
    change(path / "tokenizer_config.json", tokenizer_class="SiglipTokenizer")
    tokenizer = of_family("siglip", path)
    assert np.array_equal(tokenizer("The class!", 64), of_open_clip("t5")("the class", 64))


def test_siglips_spiece_model_is_preferred_and_needs_no_settings(folder: Callable[[str], Path]) -> None:
    needs("siglip")
    path = folder("siglip")
    (path / "tokenizer_config.json").unlink()
    (path / "tokenizer.json").write_text("{}")
    assert_equal(of_family("siglip", path), "transformers siglip")


def test_settings_of_version_4_prevail_over_the_map_of_tokens_and_older_ones_do_not(
    folder: Callable[[str], Path],
) -> None:
    needs("t5")
    path = folder("t5")
    change(path / "tokenizer_config.json", pad_token="<pad>")
    write(path, special_tokens_map={"pad_token": {"content": "</s>", "lstrip": False}})
    assert open_clip_file_tokenizer(path, "", "lower", strip_sep_token=False)("", 3).tolist() == [[1, 1, 1]]
    change(path / "tokenizer_config.json", added_tokens_decoder={})
    assert open_clip_file_tokenizer(path, "", "lower", strip_sep_token=False)("", 3).tolist() == [[1, 0, 0]]


def test_another_vocabulary_of_clips_kind_is_read_from_json(tmp_path: Path) -> None:
    needs("json")
    of_version_5(tmp_path)
    content = described(True, False)
    ids = content["model"]["vocab"]
    ids["dog</w>"], ids["cat</w>"] = ids["cat</w>"], ids["dog</w>"]
    write(tmp_path, tokenizer=content)
    tokenizer = of_family("clip", tmp_path)
    assert isinstance(tokenizer, FileTokenizer)
    assert tokenizer("a dog", 5).tolist() == [[49406, 320, 2368, 49407, 49407]]


def test_clips_vocabulary_with_tokens_added_is_read_from_json(tmp_path: Path) -> None:
    needs("json")
    of_version_5(tmp_path)
    content = described(True, False)
    content["added_tokens"].append({**content["added_tokens"][0], "id": 49408, "content": "<my-cat>"})
    write(tmp_path, tokenizer=content)
    assert of_family("clip", tmp_path)("a<my-cat>", 5).tolist() == [[49406, 320, 49408, 49407, 49407]]


def test_steps_of_clips_json_are_those_of_its_class(tmp_path: Path) -> None:
    """As in version 5, which lower-cases whatever the file says, and ends texts as the settings say."""
    needs("json")
    of_version_5(tmp_path)
    content = described(True, False)
    ids = content["model"]["vocab"]
    ids["dog</w>"], ids["cat</w>"] = ids["cat</w>"], ids["dog</w>"]  # so that it is another vocabulary
    content["normalizer"]["normalizers"].pop()
    write(tmp_path, tokenizer=content)
    assert of_family("clip", tmp_path)("A DOG", 5).tolist() == [[49406, 320, 2368, 49407, 49407]]
    of_version_5(tmp_path)
    change(tmp_path / "tokenizer_config.json", eos_token="!")
    assert of_family("clip", tmp_path)("a cat!", 7).tolist() == [[49406, 320, 2368, 0, 0, 49407, 49407]]


def test_tokens_added_in_a_file_of_their_own_are_read(tmp_path: Path) -> None:
    needs("json")
    of_openai_without_json(tmp_path)
    write(tmp_path, added_tokens={"newtok": 49409, "<my-cat>": 49408})
    ids = of_family("clip", tmp_path)("a <my-cat> NEWTOK", 6).tolist()
    assert ids == [[49406, 320, 49408, 49409, 49407, 49407]]


SINGLE = {"content": "newtok", "lstrip": False, "rstrip": False, "normalized": False, "single_word": True}


@pytest.mark.parametrize(
    ("files", "ids"),
    [
        ({}, [2, 5, 6, 7, 6, 7, 1, 3]),
        ({"tokenizer_config": {"unk_token": "[MASK]"}}, [2, 5, 6, 7, 6, 7, 4, 4, 4, 3]),
        ({"tokenizer_config": {"cls_token": "[MASK]", "sep_token": "new"}}, [4, 5, 6, 1, 6, 7, 1, 6]),
        ({"tokenizer_config": {"added_tokens_decoder": {"8": SINGLE}}}, [2, 5, 8, 6, 7, 1, 3]),
        ({"added_tokens": {"newtok": 8}}, [2, 5, 8, 8, 1, 3]),
    ],
)
def test_word_pieces_have_the_tokens_of_the_settings(
    files: dict[str, dict[str, Any]], ids: list[int], tmp_path: Path
) -> None:
    """Ids are those of transformers 5.24."""
    needs("json")
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "hello", "new", "##tok"]
    (tmp_path / "vocab.txt").write_text("\n".join(tokens))
    usual = of_family("chinese_clip", tmp_path)
    write(tmp_path, **files)
    tokenizer = of_family("chinese_clip", tmp_path)
    assert tokenizer("hello newtok NEWTOK [UNK]", len(ids)).tolist() == [ids]
    assert (tokenizer.name == usual.name) == (not files)


@pytest.mark.parametrize("added", [3, [3], {"8": 3}, {"8": {}}, {"8": {"content": 3}}])
def test_tokens_added_to_word_pieces_that_make_no_sense_are_refused(added: object, tmp_path: Path) -> None:
    needs("json")
    (tmp_path / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]")
    write(tmp_path, tokenizer_config={"added_tokens_decoder": added})
    with pytest.raises(CheckpointError, match=r"vocab\.txt"):
        of_family("chinese_clip", tmp_path)


def test_a_token_that_sentencepiece_does_not_know_is_refused(folder: Callable[[str], Path]) -> None:
    needs("siglip")
    path = folder("siglip")
    (path / "tokenizer_config.json").unlink(missing_ok=True)
    write(path, added_tokens={"<my-cat>": 32000})
    with pytest.raises(CheckpointError, match="has not the token '<my-cat>', which was added to it"):
        of_family("siglip", path)


def test_merges_in_another_order_are_another_vocabulary(tmp_path: Path) -> None:
    needs("json")
    of_openai(tmp_path)
    (tmp_path / "tokenizer.json").unlink()
    usual = of_family("clip", tmp_path)
    _, merges = vocabulary()
    (tmp_path / "merges.txt").write_text("\n".join(["#version: 0.2", *merges[1:], merges[0]]), "utf-8")
    assert of_family("clip", tmp_path).name != usual.name
    (tmp_path / "merges.txt").unlink()
    with pytest.raises(CheckpointError, match=r"merges\.txt"):
        of_family("clip", tmp_path)


def files_of_clip() -> dict[str, Any]:
    data: dict[str, Any] = json.loads((FOLDER / "clip-files" / "ids.json").read_text("ascii"))
    return data


@pytest.mark.parametrize("name", files_of_clip()["settings"])
def test_ids_of_another_vocabulary_equal_those_of_clip_in_transformers(
    name: str, folder: Callable[[str], Path]
) -> None:
    needs("json")
    path, golden = folder("clip-files"), files_of_clip()
    write(path, tokenizer_config=golden["settings"][name])
    tokenizer = of_family("clip", path)
    for text, row in zip(golden["texts"], golden["ids"][name], strict=True):
        assert tokenizer([text], golden["context_length"], truncate=True).tolist() == [row], ascii(text)


@pytest.mark.parametrize("content", ["{", "[]", '{"a": "b"}', '{"a": -1}', '{"a": 1e400}'])
def test_a_damaged_vocabulary_of_clips_two_files_is_named(content: str, folder: Callable[[str], Path]) -> None:
    needs("json")
    path = folder("clip-files")
    (path / "vocab.json").write_text(content, "utf-8")
    with pytest.raises(CheckpointError, match=r"vocab\.json"):
        of_family("clip", path)


# --- the side of the padding, as AutoTokenizer of transformers 5.24 has it ------------------------

_PADS = {"strategy": "BatchLongest", "pad_to_multiple_of": None, "pad_id": 0, "pad_type_id": 0, "pad_token": "<pad>"}


@pytest.mark.parametrize(
    ("model_type", "name", "settings", "direction", "side"),
    [
        ("siglip", "GemmaTokenizer", {"padding_side": "right"}, None, "right"),
        ("siglip", "GemmaTokenizer", {"padding_side": "right"}, "Left", "right"),
        ("siglip", "GemmaTokenizer", {}, None, "left"),
        ("siglip", "GemmaTokenizerFast", {}, None, "left"),
        ("siglip", "GemmaTokenizer", {}, "Right", "right"),
        ("siglip2", None, {}, None, "left"),
        ("siglip2", "Siglip2Tokenizer", {}, None, "left"),
        ("siglip2", "Siglip2Tokenizer", {}, "Right", "right"),
        ("clip", "PreTrainedTokenizerFast", {}, None, "right"),
        ("clip", "PreTrainedTokenizerFast", {}, "Left", "left"),
    ],
)
def test_the_side_of_the_padding_is_that_of_transformers(
    model_type: str,
    name: str | None,
    settings: dict[str, Any],
    direction: str | None,
    side: str,
    folder: Callable[[str], Path],
) -> None:
    needs("gemma")
    path = folder("gemma")
    known = json.loads((path / "tokenizer_config.json").read_text("utf-8"))
    write(path, tokenizer_config={**known, "padding_side": None, **settings, "tokenizer_class": name})
    change(path / "tokenizer.json", padding=direction and {**_PADS, "direction": direction})
    row = of_family(model_type, path)("the class", 16)[0]
    assert (row[0] == 0, row[-1] == 0) == (side == "left", side == "right")


# --- damaged files --------------------------------------------------------------------------------


def read(path: Path) -> None:
    """Read a tokenizer and use it; any other error than one that names the folder goes through."""
    makes: tuple[Callable[[], Tokenizer], ...] = (
        lambda: open_clip_file_tokenizer(path, "", "lower", strip_sep_token=False),
        lambda: of_family("siglip", path),
        lambda: of_family("clip", path),
    )
    for make in makes:
        try:
            make()(["a photo of the class.", ""], 16, True)
        except CheckpointError as error:
            assert str(path) in str(error)
            assert len(str(error)) < 600


@pytest.mark.parametrize("content", ["", "{", "[]", "null", "3", "[" * 100_000], ids=range(6))
@pytest.mark.parametrize("file", ["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"])
def test_a_file_that_is_no_json_object_is_named(file: str, content: str, folder: Callable[[str], Path]) -> None:
    needs("t5")
    path = folder("t5")
    (path / file).write_text(content, "utf-8")
    with pytest.raises(CheckpointError, match=file) as caught:
        open_clip_file_tokenizer(path, "", "lower", strip_sep_token=False)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("name", ["t5", "gemma", "bert", "bert-vocab", "siglip", "mt5"])
def test_damaged_vocabularies_are_read_or_refused(name: str, folder: Callable[[str], Path]) -> None:
    needs("siglip")
    needs(name)
    path = folder(name)
    files = [file for file in path.iterdir() if file.name != "tokenizer_config.json"]
    rng = np.random.default_rng(0)
    for file in files:
        data = file.read_bytes()
        for cut in rng.integers(0, len(data), 8):
            file.write_bytes(data[:cut])
            read(path)
        for _ in range(15):
            damaged = bytearray(data)
            for position in rng.integers(0, len(data), 3):
                damaged[position] = rng.integers(256)
            file.write_bytes(damaged)
            read(path)


@pytest.mark.parametrize(
    "options",
    [
        {"pad_token": 5},
        {"unk_token": ""},
        {"unk_token": "x" * 1_000_000},
        {"eos_token": {"content": "x" * 513}},
        {"pad_token": {"content": None}},
        {"pad_token": "missing"},
        {"tokenizer_class": ["x"] * 999},
        {"added_tokens_decoder": 5, "pad_token": []},
        {"eos_token": {}, "padding_side": 7},
    ],
    ids=range(9),
)
def test_settings_that_make_no_sense_are_refused(options: dict[str, Any], folder: Callable[[str], Path]) -> None:
    needs("mt5")
    path = folder("mt5")
    change(path / "tokenizer_config.json", **options)
    with pytest.raises(CheckpointError, match=str(path)) as caught:
        open_clip_file_tokenizer(path, "", "lower", strip_sep_token=False)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("added", [[1, 2], {"5": 3}, {"5": {"content": []}}])
def test_added_tokens_that_make_no_sense_are_refused(added: Any, tmp_path: Path) -> None:
    needs("json")
    write(tmp_path, vocab={"a": 0}, tokenizer_config={"added_tokens_decoder": added})
    (tmp_path / "merges.txt").write_text("#version: 0.2\n")
    with pytest.raises(CheckpointError, match=r"vocab.json: not a tokenizer that can be used"):
        of_family("clip", tmp_path)


def test_ids_that_no_vocabulary_has_are_refused(folder: Callable[[str], Path]) -> None:
    needs("t5")
    path = folder("t5")
    content = json.loads((path / "tokenizer.json").read_text("utf-8"))
    content["post_processor"]["special_tokens"]["</s>"]["ids"] = [2**32 - 1]
    change(path / "tokenizer.json", post_processor=content["post_processor"])
    with pytest.raises(CheckpointError, match=r"tokenizer.json: not a tokenizer that can be used"):
        open_clip_file_tokenizer(path, "", "lower", strip_sep_token=False)("a", 16)


def test_a_huge_file_is_not_read(folder: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder("t5")
    monkeypatch.setattr(module, "_MAX_VOCABULARY", 1000)
    with pytest.raises(CheckpointError, match=r"tokenizer.json: has more than 1000 bytes"):
        open_clip_file_tokenizer(path, "", "lower", strip_sep_token=False)


def test_a_folder_in_place_of_settings_is_no_settings(folder: Callable[[str], Path]) -> None:
    needs("bert")
    path = folder("bert")
    (path / "special_tokens_map.json").mkdir()
    assert open_clip_file_tokenizer(path, "", "lower", strip_sep_token=False)("a", 4).shape == (1, 4)
