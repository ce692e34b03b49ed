"""M-CLIP: text towers in many languages for the images of other models, by their `config.json`.

Source: `MultilingualCLIP` in multilingual_clip/pt_multilingual_clip.py of FreddeFrallan/Multilingual-CLIP.
"""

from dataclasses import replace
from functools import partial

from numpyclip.families.config_file import Section
from numpyclip.families.description import ModelDescription
from numpyclip.families.tensor_names import Names
from numpyclip.families.text_encoders import TOKENIZERS, encoder_config, read_encoder, translate
from numpyclip.images.preprocess import Preprocess
from numpyclip.model.config import CLIPConfig
from numpyclip.model.text.encoder_configs import BertConfig
from numpyclip.tokenizer.hugging_face import TokenizerRules, hugging_face_tokenizer
from numpyclip.weights.checkpoint import Checkpoint

_HEAD: Names = (("LinearTransformation", "text_projection"),)


def describe(checkpoint: Checkpoint, options: Section) -> ModelDescription:
    """Describe a text tower: an encoder, the mean of its tokens, and a layer."""
    config, model_type = read_config(options)
    assert isinstance(config.text, BertConfig)
    rules = TokenizerRules(TOKENIZERS[model_type], pad_id=config.text.pad_id)
    return ModelDescription(
        translate(checkpoint, config.text, _HEAD),
        config,
        partial(hugging_face_tokenizer, options.path.parent, rules),
    )


def read_config(options: Section) -> tuple[CLIPConfig, str]:
    """Read a config file: it names the encoder, or has its options itself, as in Kandinsky's pipelines."""
    if "modelBase" in options or "hidden_size" not in options:
        file = encoder_config(options, "modelBase")
        model_type = file.get("model_type", str)
    else:
        model_type = "xlm-roberta"
        file = Section(options.path, "", {**options.json, "model_type": model_type})
    text = read_encoder(file)
    if not isinstance(text, BertConfig):
        raise options.unsupported("modelBase", "expected a BERT or RoBERTa")
    width = options.size("transformerDimensions", 1024)
    if width != text.width:
        raise options.unsupported("transformerDimensions", f"expected that of the encoder, {text.width}")
    embed_dim = options.size("numDims", 768)
    config = CLIPConfig(
        family="multilingual_clip",
        embed_dim=embed_dim,
        vision=None,
        text=replace(text, pool="mean", projection="linear"),
        preprocess=Preprocess(224),
    )
    return config, model_type
