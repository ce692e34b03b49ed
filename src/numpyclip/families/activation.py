"""Which activation a model is run with: the one place that decides.

No tensor tells. What may tell is the config file, the catalogue (for models known by name), a record in the file of
weights, and the argument of `load`. All that do must agree; where none does, it is QuickGELU, as in openai/CLIP.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from numpyclip.errors import CheckpointError
from numpyclip.families.config_file import Section, read_config_file
from numpyclip.weights.checkpoint import Activation, Checkpoint

DEFAULT: Activation = "quick_gelu"


class Claim(NamedTuple):
    """What a source says: ``("model.pt", "records", "gelu")``; None, if it does not tell the activation."""

    source: str
    verb: str
    activation: Activation | None


def in_catalogue(name: str) -> Claim:
    """Say what the catalogue knows of its models: all were trained with QuickGELU."""
    return Claim(name, "was trained with", "quick_gelu")


def in_checkpoint(checkpoint: Checkpoint) -> Claim:
    """Say what a file of weights records: the classes of a TorchScript archive, or NumPyCLIP's own note."""
    return Claim(str(checkpoint.path), "records", checkpoint.activation)


def in_open_clip_config(model_cfg: Section) -> Activation:
    """Read the option of OpenCLIP's config file; a tower may have GELU's approximation besides."""
    return "quick_gelu" if model_cfg.get("quick_gelu", bool, False) else "gelu"


def decide(claims: Iterable[Claim | None], passed: Activation | None) -> Activation | None:
    """Return the activation that all sources agree on, the first of which is the most exact; None if none tells.

    Raises
    ------
    CheckpointError
        If two of them contradict each other.
    """
    known = [claim for claim in claims if claim and claim.activation]
    for claim in known:
        if (claim.activation == "quick_gelu") != (known[0].activation == "quick_gelu"):
            raise CheckpointError(
                f"{known[0].source}: {known[0].verb} the activation '{known[0].activation}', but {claim.source} "
                f"{claim.verb} '{claim.activation}'. Of OpenCLIP's architectures, those whose name ends in -quickgelu "
                "have 'quick_gelu'."
            )
        if passed not in (None, known[0].activation):
            raise CheckpointError(
                f"{claim.source}: {claim.verb} the activation '{claim.activation}', but '{passed}' was passed. "
                "Leave `activation` out."
            )
    return known[0].activation if known else passed


def doubt(table: Section, folder: Path) -> str | None:
    """Say where the config file in a folder, if there is one, has another activation than OpenCLIP's table."""
    file = folder / "open_clip_config.json"
    if not file.is_file():
        return None
    told, expected = (in_open_clip_config(config.section("model_cfg")) for config in (read_config_file(file), table))
    if told == expected:
        return None
    return f"{file.name} there says that the activation is '{told}'; that of {table.path.name} is '{expected}'."


def warning(path: Path) -> str:
    """Say that no source tells, and what to do."""
    return (
        f"{path}: the activation is not recorded; QuickGELU is used, as openai/CLIP does. "
        "Pass activation='quick_gelu' (OpenAI and models trained from theirs) to confirm, or 'gelu' (LAION and "
        "most of OpenCLIP's): with the wrong one the results are silently worse."
    )
