"""Write src/numpyclip/data/transformers_options.json: which options of a `config.json` change what a model computes.

Read from the sources of several versions of transformers, which are not imported (nothing else is needed):

    for version in 4.16.2 4.25.1 4.36.2 4.46.3 4.57.6 5.24.0; do
        pip install --no-deps --target versions/$version transformers==$version
    done
    python tools/make_transformers_options.py versions/*

"harmless" are the attributes of transformers' configuration classes, those of all models and those of the models that
NumPyCLIP supports, without those that the code of the latter reads; READ_IN_VAIN lists, by name, what that code reads
without an effect on embeddings. What other models read for their training alone is harmless, too: OF_TRAINING tells it
by its name. "read_elsewhere" is what else the code of any model reads: in a tower of a CLIP it may speak of another
architecture. "of_all_models" is the part of it that has an effect outside of towers, too. An option in none of these
lists is read by no model of transformers. "of_image_processors" are the attributes and arguments of all image
processors of transformers.
"""

import argparse
import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path

DATA = Path(__file__).parents[1] / "src" / "numpyclip" / "data" / "transformers_options.json"
MODELS = ("clip", "siglip", "siglip2", "metaclip_2", "chinese_clip", "altclip", "bert", "xlm_roberta")
SUPPORTED = MODELS[:6]
BASE_CLASSES = ("PretrainedConfig", "PreTrainedConfig", "GenerationConfig")
BASE_FILES = ("configuration_utils.py", "generation/configuration_utils.py")

# The code of supported models reads these, but embeddings do not depend on them.
READ_IN_VAIN = (
    *("attention_dropout", "attention_probs_dropout_prob", "hidden_dropout_prob"),  # training
    *("initializer_factor", "initializer_range", "logit_scale_init_value"),  # initial weights
    *("_attn_implementation", "chunk_size_feed_forward"),  # how, not what is computed
    *("output_attentions", "output_hidden_states", "return_dict", "use_return_dict", "use_cache"),  # form of the output
    *("num_labels", "problem_type"),  # of classifiers
    *("is_encoder_decoder", "_pre_quantization_dtype"),
    *("eos_token_id", "pad_token_id"),  # where they have an effect NumPyCLIP reads them by name
)

# Not an attribute of any class, but written by `save_pretrained` and read when a model is loaded.
OF_LOADING = ("auto_map", "custom_pipelines")

# Nor is this, of AltCLIP: that its text tower is trained to say what another says.
OF_DISTILLATION = "direct_kd"

# Names of options that concern training: dropout, losses, initial weights, masks, and what is trained. With
# token_dropout embeddings are scaled at all times.
OF_TRAINING = re.compile(
    r"(?!token_dropout).*drop(?!ping).*|.*loss.*|(.*_)?init_(std|range)|init_xavier_std|(.*_)?initializer_(std|range|factor)"
    r"|mask_(time|feature)_(prob|length|min_masks)|mask_token_id|freeze.*|num_.*_to_freeze"
    r"|label_smoothing|label_noise_ratio|is_training|pretraining_tp|num_classes|gradient_clipping|stop_gradient.*"
    r"|router_jitter_noise|apply_spec_augment|seed"
)

# Attributes of all configuration classes that change what is computed; the first for models of two towers, too.
OF_ALL_MODELS = ("pruned_heads", "quantization_config", "compression_config", "per_layer_config", "adapters")
EFFECTIVE = (
    *OF_ALL_MODELS,
    *("rope_parameters", "rope_scaling", "rope_theta"),
    *("is_decoder", "add_cross_attention", "cross_attention_hidden_size"),
)


def main() -> None:
    """Write the lists."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("roots", type=Path, nargs="+", help="folders with the package transformers in them")
    packages = [root / "transformers" for root in parser.parse_args().roots]
    known = {name for package in packages for path in _configurations(package) for name in _attributes(path)}
    read = {name for package in packages for path in _modeling(package, SUPPORTED) for name in _reads(path)}
    elsewhere = {name for package in packages for path in _modeling(package, ("*",)) for name in _reads(path)}
    processors = {name for package in packages for path in _processors(package) for name in _settings(path)}
    harmless = (known - read - set(EFFECTIVE)) | (set(READ_IN_VAIN) & (known | read)) | {*OF_LOADING, OF_DISTILLATION}
    harmless |= set(filter(OF_TRAINING.fullmatch, elsewhere - read))
    lists = {
        "source": "transformers " + ", ".join(sorted(map(_version, packages))) + " (Apache-2.0)",
        "harmless": sorted(harmless),
        "read_elsewhere": sorted((elsewhere | read | set(EFFECTIVE)) - harmless),
        "of_all_models": sorted(OF_ALL_MODELS),
        "of_image_processors": sorted(processors),
    }
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(values)}" for name, values in lists.items())
    DATA.write_text(f"{{\n{lines}\n}}\n", "utf-8")
    print({name: len(values) for name, values in lists.items()})


def _version(package: Path) -> str:
    tree = ast.parse((package / "__init__.py").read_text("utf-8"))
    return next(
        node.value.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        and isinstance(node.targets[0], ast.Name)
        and node.targets[0].id == "__version__"
        and isinstance(node.value, ast.Constant)
    )


def _configurations(package: Path) -> Iterator[Path]:
    yield from (path for name in BASE_FILES if (path := package / name).exists())
    for model in MODELS:
        yield from (package / "models" / model).glob("configuration_*.py")


def _modeling(package: Path, models: tuple[str, ...]) -> Iterator[Path]:
    for model in models:
        for path in (package / "models").glob(f"{model}/modeling_*.py"):
            if not path.name.startswith(("modeling_tf_", "modeling_flax_")):
                yield path


def _processors(package: Path) -> Iterator[Path]:
    yield from (package / "models").glob("*/image_processing_*.py")
    yield from (package / "models").glob("*/feature_extraction_*.py")
    yield from package.glob("image_processing_*.py")


def _settings(path: Path) -> Iterator[str]:
    """List what the classes of a file call their settings: annotated, assigned, or arguments of `__init__`."""
    yield from _attributes(path)
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef) and node.name == "__init__":
            yield from (argument.arg for argument in node.args.args if argument.arg != "self")


def _attributes(path: Path) -> Iterator[str]:
    """List the attributes of configuration classes: annotated, assigned, taken from keywords, or properties."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.ClassDef) and (
            node.name in BASE_CLASSES or (path.name != BASE_FILES[0] and not node.name.endswith("OnnxConfig"))
        ):
            for part in node.body:
                if isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name):
                    yield part.target.id
                elif isinstance(part, ast.Assign) and isinstance(part.targets[0], ast.Name):
                    yield part.targets[0].id
                elif isinstance(part, ast.FunctionDef):
                    yield from _of_function(part)


def _of_function(function: ast.FunctionDef) -> Iterator[str]:
    if any(isinstance(decorator, ast.Name) and decorator.id == "property" for decorator in function.decorator_list):
        yield function.name
    is_defaults = function.name.endswith("generation_defaults") or function.name.endswith("generation_parameters")
    for node in ast.walk(function):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store) and _name(node.value) == "self":
            yield node.attr
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            is_keyword = node.func.attr in ("pop", "get") and _name(node.func.value) == "kwargs"
            if is_keyword and function.name in ("__init__", "__post_init__") and isinstance(node.args[0], ast.Constant):
                yield node.args[0].value
        elif is_defaults and isinstance(node, ast.Dict):
            yield from (key.value for key in node.keys if isinstance(key, ast.Constant))


def _reads(path: Path) -> Iterator[str]:
    """List the attributes that code reads of anything whose name ends in `config`."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load) and _name(node.value).endswith("config"):
            yield node.attr
        elif isinstance(node, ast.Call) and _name(node.func) in ("getattr", "hasattr"):
            owner, option = node.args[:2]
            if _name(owner).endswith("config") and isinstance(option, ast.Constant):
                yield option.value


def _name(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr if isinstance(node, ast.Attribute) else ""


if __name__ == "__main__":
    main()
