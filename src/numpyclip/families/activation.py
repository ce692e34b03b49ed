"""The activation of a model, QuickGELU or GELU: the one place that decides which.

It cannot be inferred from tensors. The sources are the config file, the catalog (all of its models were trained with
QuickGELU), a record in the file of weights (the classes of a TorchScript archive, or NumPyCLIP's own), and the argument
of `load`. All that name one must agree; if none does, it is QuickGELU, as in openai/CLIP.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from numpyclip.errors import CheckpointError
from numpyclip.families.config_file import Section, read_config_file
from numpyclip.weights.checkpoint import Activation

DEFAULT: Activation = "quick_gelu"


class Claim(NamedTuple):
    """The activation that a source names, or None: ``("model.pt", "records", "gelu")``."""

    source: str
    verb: str
    activation: Activation | None


def in_open_clip_config(model_cfg: Section) -> Activation:
    """Read the option of OpenCLIP's config file; a tower may have GELU's approximation besides."""
    return "quick_gelu" if model_cfg.get("quick_gelu", bool, False) else "gelu"


def decide(claims: Iterable[Claim | None], passed: Activation | None) -> Activation | None:
    """Return the activation of the first claim that names one, else the passed one; CheckpointError if any differ."""
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


def contradiction(table: Section, folder: Path) -> str | None:
    """Say if the config file in a folder has another activation than OpenCLIP's table."""
    file = folder / "open_clip_config.json"
    if not file.is_file():
        return None
    found, expected = (in_open_clip_config(config.section("model_cfg")) for config in (read_config_file(file), table))
    if found == expected:
        return None
    return f"{file.name} there says that the activation is '{found}'; that of {table.path.name} is '{expected}'."


def warning(path: Path) -> str:
    """Say that no source names it, and what to do."""
    return (
        f"{path}: the activation is not recorded; QuickGELU is used, as openai/CLIP does. "
        "Pass activation='quick_gelu' (OpenAI and models trained from theirs) to confirm, or 'gelu' (LAION and "
        "most of OpenCLIP's): with the wrong one the results are silently worse."
    )
