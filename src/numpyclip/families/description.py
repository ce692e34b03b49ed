"""What is found out about a model from its files."""

from collections.abc import Callable
from dataclasses import dataclass

from numpyclip.model.config import CLIPConfig
from numpyclip.tokenizer.base import Tokenizer
from numpyclip.weights.checkpoint import Checkpoint


@dataclass(frozen=True, eq=False)
class ModelDescription:
    """All that a model is built from.

    Attributes
    ----------
    checkpoint : Checkpoint
        Its tensors have the names that openai/CLIP gives them, or would.
    config : CLIPConfig
    tokenizer : callable
        Makes the tokenizer, which not every use of a model needs.
    warnings : tuple of str
        What is doubtful about it, for the caller of `load`.
    """

    checkpoint: Checkpoint
    config: CLIPConfig
    tokenizer: Callable[[], Tokenizer]
    warnings: tuple[str, ...] = ()
