"""Tokenizers as Hugging Face's libraries save them, trained here, and OpenCLIP's own: hard texts, and their ids.

Published vocabularies are too large, so these are small ones of the same kinds. tests/golden/tokenizers gets a folder
for each, and ids.json.gz with what the libraries make of the texts. Training does not give the same bytes twice.
"""

import gzip
import json
import pydoc_data.topics
import shutil
import sys
import tempfile
import unicodedata
import warnings
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import open_clip.tokenizer
import sentencepiece
import tokenizers
import transformers

from golden.common import compact_tokenizers
from make_golden_tokens import ENTITIES, MARKS, PROMPTS, SCRIPTS

PACKAGES = ("open_clip_torch", "transformers", "tokenizers", "sentencepiece", "ftfy")
LENGTH = 24
SPECIALS = [
    "</s>",
    "a</s>b",
    "a </s> b </S>.",
    "</s></s>",
    "the end.</s>",
    "<unk>x<pad>y",
    "<eos> a <EOS> b<bos>",
    "[SEP] a [sep]b [CLS][PAD] [MASK]",
    "\u2581a\u2581\u2581b \u2581",
    "<0x41> \u2581\u2581\u2581 \n\n\n\t\t",
    "a" * 200,
    "snake_case_ __init__ - it's -- 'quoted' \"double\" (brackets) {} [x] 100%!",
    "<start_of_text>a<END_OF_TEXT><Start_Of_ſext>",
    "a\u0327\u0301 \u1e9b\u0323 \ufb01 \uff21\uff22\uff43 \u2460 \u33a1 \u00bd \u2126 \u00a0\u2003\u200b\ufeff\u00ad|",
]
TEXTS = [
    text
    for text in [*PROMPTS, *SCRIPTS, *MARKS, *ENTITIES, *SPECIALS]
    if not any(0xD800 <= ord(letter) < 0xE000 for letter in text)  # the libraries refuse halves of characters
]


def save(golden: Path) -> None:
    """Save every tokenizer, and what the libraries make of the texts."""
    folder = golden.parent / "tokenizers"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    lines = [line.strip() for topic in pydoc_data.topics.topics.values() for line in topic.splitlines() if line.strip()]
    lines += 20 * TEXTS
    save_siglip(folder, lines)
    save_gemma(folder / "gemma", lines)
    save_bert(folder, lines)
    save_roberta(folder / "roberta", lines)
    save_xlm_roberta(folder / "xlm-roberta", lines)
    save_xlm_roberta_model(folder / "xlm-roberta-model", lines)
    save_nllb(folder / "nllb", lines)
    compact_tokenizers(folder)
    record(folder)


def record(folder: Path) -> None:
    """Save what the libraries make of the texts."""
    warnings.simplefilter("ignore")
    recorded = {
        "made_with": {package: version(package) for package in PACKAGES},
        "context_length": LENGTH,
        "texts": TEXTS,
        "ids": {**native_ids(), **open_clip_ids(folder), **transformers_ids(folder), **clip_ids()},
    }
    data = json.dumps(recorded, separators=(",", ":")).encode("ascii")
    (folder / "ids.json.gz").write_bytes(gzip.compress(data, mtime=0))


def small_nfkc() -> Iterator[str]:
    """Yield the rules of a table like sentencepiece's own, which alone would be larger than all the rest."""
    ranges = [(0xA0, 0x180), (0x2000, 0x2200), (0x2460, 0x2474), (0x3000, 0x3001), (0xFB00, 0xFB07), (0xFF01, 0xFF5F)]
    for point in [point for first, stop in ranges for point in range(first, stop)]:
        plain = unicodedata.normalize("NFKC", chr(point))
        if 0x200B <= point <= 0x200F or point == 0xAD:
            plain = " " if point == 0x200B else ""
        if plain != chr(point):
            yield f"{point:X}\t{' '.join(f'{ord(letter):X}' for letter in plain)}\n"


def save_siglip(folder: Path, lines: list[str]) -> None:
    """Save a sentencepiece model in lower case with T5's options, as three libraries' classes have it."""
    with tempfile.TemporaryDirectory() as scratch:
        corpus, rules, stem = (Path(scratch) / name for name in ("corpus.txt", "rules.tsv", "spiece"))
        corpus.write_text("\n".join(line.lower() for line in lines), "utf-8")
        rules.write_text("".join(small_nfkc()), "ascii")
        sentencepiece.SentencePieceTrainer.train(
            input=str(corpus),
            model_prefix=str(stem),
            model_type="unigram",
            vocab_size=800,
            character_coverage=0.9995,
            normalization_rule_tsv=str(rules),
            pad_id=0,
            eos_id=1,
            unk_id=2,
            bos_id=-1,
            num_threads=1,
            minloglevel=2,
        )
        model = f"{stem}.model"
        transformers.SiglipTokenizer(model).save_pretrained(folder / "siglip")
        (folder / "mt5").mkdir()
        shutil.copy(model, folder / "mt5" / "spiece.model")
        settings = {"tokenizer_class": "T5Tokenizer", "extra_ids": 0, "eos_token": "</s>", "pad_token": "<pad>"}
        (folder / "mt5" / "tokenizer_config.json").write_text(json.dumps(settings))
        t5 = transformers.T5Tokenizer.from_pretrained(folder / "mt5", extra_ids=0, pad_token="</s>")
        t5.save_pretrained(folder / "t5")  # as in the folders of timm


def save_gemma(folder: Path, lines: list[str]) -> None:
    """Save byte pairs with a fallback to bytes, and the end after every text, as SigLIP 2 of fixed resolution has."""
    trained = tokenizers.Tokenizer(tokenizers.models.BPE())
    trained.normalizer = tokenizers.normalizers.Replace(" ", "\u2581")
    trained.pre_tokenizer = tokenizers.pre_tokenizers.Split(" ", "merged_with_previous")
    specials = ["<pad>", "<eos>", "<bos>", "<unk>", "<mask>", *(f"<0x{byte:02X}>" for byte in range(256))]
    trainer = tokenizers.trainers.BpeTrainer(vocab_size=1200, special_tokens=specials, limit_alphabet=150)
    trained.train_from_iterator([*lines, *(line.lower() for line in lines)], trainer)
    model = json.loads(trained.to_str())["model"]
    gemma = transformers.GemmaTokenizer(
        vocab=model["vocab"], merges=list(map(tuple, model["merges"])), padding_side="right", add_bos_token=False
    )
    gemma.add_eos_token = True
    gemma.save_pretrained(folder)


def save_bert(folder: Path, lines: list[str]) -> None:
    """Save word pieces, as CLIPA's folders have them, and as BERT's own had."""
    trained = tokenizers.BertWordPieceTokenizer()
    trained.train_from_iterator(lines, vocab_size=900, limit_alphabet=150, show_progress=False)
    vocabulary = trained.get_vocab()
    transformers.BertTokenizer(vocab=vocabulary).save_pretrained(folder / "bert")
    (folder / "bert-vocab").mkdir()
    tokens = sorted(vocabulary, key=vocabulary.__getitem__)
    (folder / "bert-vocab" / "vocab.txt").write_text("".join(f"{token}\n" for token in tokens), "utf-8")
    settings = {"tokenizer_class": "BertTokenizer", "do_lower_case": False, "tokenize_chinese_chars": False}
    (folder / "bert-vocab" / "tokenizer_config.json").write_text(json.dumps(settings))


def save_roberta(folder: Path, lines: list[str]) -> None:
    """Save byte pairs with a mark at both ends, cut and padded on the left."""
    trained = tokenizers.ByteLevelBPETokenizer()
    trained.train_from_iterator(
        lines, vocab_size=600, special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"], show_progress=False
    )
    model = json.loads(trained.to_str())["model"]
    transformers.RobertaTokenizer(
        vocab=model["vocab"],
        merges=list(map(tuple, model["merges"])),
        padding_side="left",
        truncation_side="left",
    ).save_pretrained(folder)


def save_xlm_roberta(folder: Path, lines: list[str]) -> None:
    """Save pieces in both cases, as MetaCLIP 2 and AltCLIP have them, from a file like XLM-RoBERTa's own."""
    folder.mkdir()
    with tempfile.TemporaryDirectory() as scratch:
        train_pieces(Path(scratch), lines, "unigram")
        transformers.XLMRobertaTokenizer.from_pretrained(scratch).save_pretrained(folder)


def save_xlm_roberta_model(folder: Path, lines: list[str]) -> None:
    """Save that file itself, as the oldest folders have it."""
    folder.mkdir()
    with tempfile.TemporaryDirectory() as scratch:
        train_pieces(Path(scratch), lines, "unigram")
        shutil.copy(Path(scratch) / "sentencepiece.bpe.model", folder)
    (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "XLMRobertaTokenizer"}))


def save_nllb(folder: Path, lines: list[str]) -> None:
    """Save byte pairs with the codes of languages, from a file like NLLB's own."""
    with tempfile.TemporaryDirectory() as scratch:
        train_pieces(Path(scratch), lines, "bpe")
        codes = ["ace_Arab", "eng_Latn", "fra_Latn", "zul_Latn"]
        transformers.NllbTokenizer.from_pretrained(scratch, extra_special_tokens=codes).save_pretrained(folder)


def train_pieces(scratch: Path, lines: list[str], kind: str) -> None:
    """Train a sentencepiece model with the special tokens of fairseq."""
    with tempfile.TemporaryDirectory() as inputs:
        corpus, rules = Path(inputs) / "corpus.txt", Path(inputs) / "rules.tsv"
        corpus.write_text("\n".join(lines), "utf-8")
        rules.write_text("".join(small_nfkc()), "ascii")
        sentencepiece.SentencePieceTrainer.train(
            input=str(corpus),
            model_prefix=str(scratch / "sentencepiece.bpe"),
            model_type=kind,
            vocab_size=800,
            character_coverage=0.9995,
            normalization_rule_tsv=str(rules),
            num_threads=1,
            minloglevel=2,
        )


def native_ids() -> dict[str, list[list[int]]]:
    return {
        f"open_clip native {clean}": open_clip.tokenizer.SimpleTokenizer(clean=clean)(TEXTS, LENGTH).tolist()
        for clean in ("lower", "whitespace", "canonicalize")
    }


def open_clip_ids(folder: Path) -> dict[str, list[list[int]]]:
    def ids(name: str, **options: object) -> list[list[int]]:
        return open_clip.tokenizer.HFTokenizer(str(folder / name), LENGTH, **options)(TEXTS).tolist()

    cases = [(name, {"clean": "canonicalize"}) for name in ("t5", "mt5", "gemma", "siglip")]
    cases += [(name, {"strip_sep_token": True}) for name in ("bert", "bert-vocab")]
    cases += [(name, {}) for name in ("roberta", "xlm-roberta", "xlm-roberta-model", "nllb")]
    cases += [("gemma", {"clean": "lower"})]
    found = {f"open_clip {name} {options.get('clean', 'whitespace')}": ids(name, **options) for name, options in cases}
    french = open_clip.tokenizer.HFTokenizer(str(folder / "nllb"), LENGTH, language="fra_Latn")  # without effect
    assert french(TEXTS).tolist() == found["open_clip nllb whitespace"]
    french.tokenizer.src_lang = "fra_Latn"
    return {**found, "language nllb fra_Latn": french(TEXTS).tolist()}


def transformers_ids(folder: Path) -> dict[str, list[list[int]]]:
    siglip = transformers.AutoTokenizer.from_pretrained(folder / "siglip")
    # The fixed resolutions name GemmaTokenizer, but were trained on lower case; this class lowers it.
    siglip_2 = transformers.Siglip2Tokenizer.from_pretrained(folder / "gemma")
    # As AutoTokenizer would for these types of models: it has the classes from its own table.
    others = {
        "metaclip_2 xlm-roberta": transformers.XLMRobertaTokenizer,
        "altclip xlm-roberta": transformers.XLMRobertaTokenizer,
        "chinese_clip bert": transformers.BertTokenizer,
        "chinese_clip bert-vocab": transformers.BertTokenizer,
    }
    return {
        "transformers siglip": rows(siglip),
        "transformers gemma": rows(siglip_2),
        **{
            f"transformers {case}": rows(kind.from_pretrained(folder / case.split()[1]))
            for case, kind in others.items()
        },
    }


def rows(tokenizer: transformers.PreTrainedTokenizerBase) -> list[list[int]]:
    return tokenizer(TEXTS, padding="max_length", truncation=True, max_length=LENGTH).input_ids


def clip_ids() -> dict[str, list[list[int]]]:
    """Compute the ids of OpenAI's vocabulary as transformers reads it, from folders that the tests make, too."""
    sys.path.insert(0, str(Path(__file__).parents[2]))
    from tests.clip_folders import FOLDERS

    made = {}
    for name, make in FOLDERS.items():
        with tempfile.TemporaryDirectory() as scratch:
            make(Path(scratch))
            made[f"transformers clip {name}"] = rows(transformers.AutoTokenizer.from_pretrained(scratch))
    return made
