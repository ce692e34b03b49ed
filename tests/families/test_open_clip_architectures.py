"""What every published model of OpenCLIP, and every vision transformer of timm's, is read as, ever after.

Recorded in golden/architectures.json, as digests of all sizes and options that are not the default, when the embeddings
of one model of each kind had been compared with the library's. Where a change is meant, this module run as a script
records it.
"""

import hashlib
import json
from pathlib import Path

from numpyclip.errors import CheckpointError
from numpyclip.families import timm_trunks
from numpyclip.families.config_file import Section
from numpyclip.families.locate import _read_config
from numpyclip.families.timm_convolutional import NAMES
from numpyclip.model.config import list_options
from numpyclip.weights.published import Architecture, PublishedModel, architecture, architectures

FILE = Path(__file__).parents[1] / "golden" / "architectures.json"
SIZES = FILE.with_name("timm.json")
PIXELS = ("size", "profile", "mean", "std", "interpolation", "resize_mode", "fill", "short_side", "patch_size")


def digest(known: Architecture, model: PublishedModel | None) -> str:
    try:
        config, _ = _read_config(known, model)
    except CheckpointError:
        return "refused"
    pixels = [getattr(config.preprocess, name) for name in PIXELS]
    towers = [options(tower) for tower in (config.vision, config.text, config.decoder)]
    return hashlib.sha256(repr((config.embed_dim, towers, config.sigmoid, pixels)).encode()).hexdigest()[:16]


def options(config: object) -> str:
    """List what is not the default, so that a new option changes no digest."""
    if config is None:
        return ""
    changed = sorted((name, value) for name, value, default in list_options(config) if value != default)
    return f"{type(config).__name__} {changed}"


def digest_of_trunk(name: str, image_size: int) -> str:
    trunk = timm_trunks.describe(name, Section(Path(name), "", {}), image_size)
    return hashlib.sha256(options(trunk).encode()).hexdigest()[:16]


def found() -> dict[str, dict[str, str]]:
    models = {}
    for name in architectures():
        known = architecture(name)
        assert known is not None
        models[name] = {"": digest(known, None)} | {tag: digest(known, known.find(tag)) for tag in known.models}
    sizes = json.loads(SIZES.read_text("ascii"))
    trunks = {name: digest_of_trunk(name, sizes[name][0]) for name in timm_trunks.names()}
    return {**models, "timm": trunks, "convolutional": dict.fromkeys(NAMES, "")}


def test_every_published_model_is_read_as_it_was() -> None:
    recorded = json.loads(FILE.read_text("ascii"))
    now = found()
    assert now.keys() == recorded.keys()
    assert {name: each for name, each in now.items() if each != recorded[name]} == {}


def test_all_published_models_are_read() -> None:
    digests = [digest for each in json.loads(FILE.read_text("ascii")).values() for digest in each.values()]
    assert len(digests) > 250
    assert "refused" not in digests


if __name__ == "__main__":
    FILE.write_text(json.dumps(found(), indent=1, sort_keys=True) + "\n", "ascii")
