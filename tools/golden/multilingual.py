"""Text towers for the images of other models: M-CLIP's and sentence-transformers', as these save them."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sentence_transformers
import torch
import transformers
from multilingual_clip.Config_MCLIP import MCLIPConfig
from multilingual_clip.pt_multilingual_clip import MultilingualCLIP
from sentence_transformers.sentence_transformer import modules

from golden.common import compact_tokenizers, randomize, record

TOKENIZERS = Path(__file__).parents[2] / "tests" / "golden" / "tokenizers"
TEXTS = (
    "a dog",
    "Ein Hund, der auf der Wiese spielt.",
    "",
    "class " * 30,
    "<s> The CLASS's </s>",
    "a [PAD] or <pad> dog",
)
_SMALL = {"num_hidden_layers": 2, "num_attention_heads": 4, "hidden_size": 32, "intermediate_size": 40}
_BERT = {**_SMALL, "layer_norm_eps": 1e-3, "max_position_embeddings": 66}


def save(golden: Path) -> None:
    """Save every model, and what its library computes."""
    xlm = transformers.XLMRobertaConfig(**_BERT, vocab_size=805, type_vocab_size=1)
    save_mclip(golden / "mclip-xlm-roberta", xlm, "xlm-roberta-model", 600)
    save_mclip(golden / "mclip-bert", transformers.BertConfig(**_BERT, vocab_size=900), "bert-vocab", 601)
    save_sentences(golden / "sentence-transformers-distilbert", 602)


@contextmanager
def base(config: transformers.PreTrainedConfig) -> Iterator[str]:
    """Save a model for the library to start from."""
    with tempfile.TemporaryDirectory() as folder:
        transformers.AutoModel.from_config(config).save_pretrained(folder)
        yield folder


def save_mclip(folder: Path, config: transformers.PreTrainedConfig, tokenizer: str, seed: int) -> None:
    """Save a text tower of M-CLIP's with the options of its encoder in a folder within."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(TOKENIZERS / tokenizer, folder)
    with base(config) as start:
        model = MultilingualCLIP(MCLIPConfig(start, config.hidden_size, 24)).eval()
        shutil.copytree(start, folder / "encoder", ignore=shutil.ignore_patterns("*.safetensors"))
    randomize(model, seed)
    model.half()
    model.config.modelBase = "encoder"
    model.config.save_pretrained(folder)
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    model.double()
    reader = transformers.AutoTokenizer.from_pretrained(folder, config=config)
    with torch.no_grad():
        embeddings = model(list(TEXTS), reader)
    ids = reader(list(TEXTS), padding="max_length", max_length=64).input_ids
    packages = ("torch", "transformers", "multilingual-clip")
    record(folder, packages, text=torch.tensor(ids), texts=json.dumps(TEXTS), encode_text=embeddings)


def save_sentences(folder: Path, seed: int) -> None:
    """Save a text tower like clip-ViT-B-32-multilingual-v1: DistilBERT, the mean of tokens, a layer without a bias."""
    options = {"n_layers": 2, "n_heads": 4, "dim": 32, "hidden_dim": 40, "max_position_embeddings": 40}
    config = transformers.DistilBertConfig(vocab_size=900, **options)
    shutil.rmtree(folder, ignore_errors=True)
    with base(config) as start:
        shutil.copytree(TOKENIZERS / "bert-vocab", start, dirs_exist_ok=True)
        settings = {"tokenizer_class": "DistilBertTokenizer", "do_lower_case": False}
        (Path(start) / "tokenizer_config.json").write_text(json.dumps(settings))
        parts = [modules.Transformer(start, max_seq_length=16), modules.Pooling(32, "mean")]
        parts += [modules.Dense(32, 24, bias=False, activation_function=torch.nn.Identity())]
        model = sentence_transformers.SentenceTransformer(modules=parts, device="cpu").eval()
        randomize(model, seed)
        model.half().save(str(folder), create_model_card=False)
        compact_tokenizers(folder)
    model.double()
    with torch.no_grad():
        embeddings = model.encode(list(TEXTS), convert_to_tensor=True)
    features = model.tokenizer(list(TEXTS), padding="max_length", truncation=True, max_length=16)
    packages = ("torch", "transformers", "sentence-transformers")
    record(folder, packages, text=torch.tensor(features["input_ids"]), texts=json.dumps(TEXTS), encode_text=embeddings)
