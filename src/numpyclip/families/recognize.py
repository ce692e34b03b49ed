"""FILES → DESCRIPTION: which library's model they are, and everything that it is built from."""

from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path

from numpyclip.families import activation, apple, long_clip, openai, tiny_clip
from numpyclip.families.activation import Claim
from numpyclip.families.config_file import Section
from numpyclip.families.description import ModelDescription
from numpyclip.families.repository_files import MODULES, OPEN_CLIP_CONFIG, ModelFiles
from numpyclip.tokenizer.clip_tokenizer import open_clip_tokenizer
from numpyclip.weights.checkpoint import Activation, Checkpoint, ConfigFile
from numpyclip.weights.read import read

# model_type → the module of this package, if not that of transformers' own models
_MODULES = {"M-CLIP": "multilingual_clip", "jina_clip": "jina_clip", "nomic_bert": "nomic"}


def recognize(
    files: ModelFiles, passed: Activation | None = None, fallback: Activation | None = None
) -> ModelDescription:
    """Recognize a model by its config file, or by its tensors alone.

    `passed` is the `activation` of `load`, which contradicts a recorded one; `fallback` gives way to it.
    """
    checkpoint = read(files.weights)
    is_apples = apple.is_apples(checkpoint)
    if is_apples:
        checkpoint = apple.translate(checkpoint)  # also beside a config file: open_clip reads such weights, too
    is_tiny_clip = tiny_clip.is_tiny_clip(checkpoint)
    checkpoint = long_clip.translate(tiny_clip.translate(checkpoint) if is_tiny_clip else checkpoint)
    recorded = Claim(str(checkpoint.path), "records", checkpoint.activation)
    config_file = None
    if files.copy_of:
        from numpyclip.families import openai_copies

        found = openai_copies.describe(checkpoint, files.copy_of)
    elif files.library and files.config:
        found = _by_config(checkpoint, files.library, files.config, files.tokenizer)
        claim = Claim(str(files.config.path), "describes a model with", found.config.activation)
        activation.decide([claim, recorded], passed)
        config_file = ConfigFile(files.library, files.config.json)
    elif is_apples:
        found = apple.describe(checkpoint)
        activation.decide([Claim(str(files.weights), "has, as all of Apple's,", found.config.activation)], passed)
    else:
        of_tiny_clip = Claim(str(files.weights), "has, as all of TinyCLIP's,", "gelu") if is_tiny_clip else None
        decided = activation.decide([files.activation, recorded, of_tiny_clip], passed) or fallback
        found = openai.describe(checkpoint, decided or activation.DEFAULT)
        if is_tiny_clip:
            found = replace(found, tokenizer=partial(open_clip_tokenizer, "lower"))  # its code is OpenCLIP's
        if decided is None:
            found = replace(found, warnings=(activation.warning(checkpoint.path),))
    checkpoint = found.checkpoint.read_as(config_file, repr(found.config))
    return replace(found, checkpoint=checkpoint, warnings=(*files.warnings, *found.warnings))


def _by_config(checkpoint: Checkpoint, library: str, config: Section, tokenizer: Path | None) -> ModelDescription:
    """Describe a model by its config file, importing only the module of that library."""
    if library == OPEN_CLIP_CONFIG:
        from numpyclip.families import open_clip

        return open_clip.describe(checkpoint, config, tokenizer)
    module = import_module(f"numpyclip.families.{_module_of(config)}")
    found: ModelDescription = module.describe(checkpoint, config)
    return found


def _module_of(config: Section) -> str:
    """Return the name of the module that reads a `config.json`."""
    model_type = str(config.json.get("model_type"))
    if "modelBase" in config:
        return "multilingual_clip"
    if any((folder / MODULES).is_file() for folder in list(config.path.parents)[:2]):
        from numpyclip.families import sentence_transformers
        from numpyclip.families.transformers_types import TYPES

        if model_type not in {*TYPES, *_MODULES}:  # alone no CLIP
            return "sentence_transformers"
        sentence_transformers.check_clip(config)
    return _MODULES.get(model_type, "transformers")
