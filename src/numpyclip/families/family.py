"""What a family's module finds out about a checkpoint."""

from collections.abc import Callable
from dataclasses import dataclass

from numpyclip.model.config import CLIPConfig
from numpyclip.tokenizer.base import Tokenizer
from numpyclip.weights.checkpoint import Checkpoint, Description


@dataclass(frozen=True, eq=False)
class Recognized:
    """A checkpoint that is understood.

    Attributes
    ----------
    checkpoint : Checkpoint
        Its tensors have the names that openai/CLIP gives them, or would.
    config : CLIPConfig
    tokenizer : callable
        Makes the tokenizer, which not every use of a model needs.
    description : Description, optional
        What was read, if the tensors alone did not tell.
    """

    checkpoint: Checkpoint
    config: CLIPConfig
    tokenizer: Callable[[], Tokenizer]
    description: Description | None = None
