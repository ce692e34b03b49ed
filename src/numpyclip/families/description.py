"""Everything that a model is built from, as its files describe it."""

from collections.abc import Callable
from dataclasses import dataclass

from numpyclip.model.config import CLIPConfig
from numpyclip.tokenizer.base import Tokenizer
from numpyclip.weights.checkpoint import Checkpoint


@dataclass(frozen=True, eq=False)
class ModelDescription:
    """Weights by openai/CLIP's names, sizes, and a tokenizer that is made when it is first needed."""

    checkpoint: Checkpoint
    config: CLIPConfig
    tokenizer: Callable[[], Tokenizer]
    warnings: tuple[str, ...] = ()  # for the caller of `load`
