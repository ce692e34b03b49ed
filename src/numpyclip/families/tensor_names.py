"""Names of tensors: what another library calls by one, openai/CLIP calls by the other."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace

from numpyclip.errors import CheckpointError, quoted
from numpyclip.weights.checkpoint import Checkpoint

# Pairs of a name there and ours; or of what names begin with, up to a dot. A * is a number, which stays. Can be read
# backwards, too: where several have the same right side, the first is the usual one.
Names = tuple[tuple[str, str], ...]

_MAX_PARTS = 10  # between the dots of a pair's name


def rename(checkpoint: Checkpoint, translate: Callable[[str], str]) -> Checkpoint:
    """Rename all tensors.

    Raises
    ------
    CheckpointError
        If two of them would have the same name.
    """
    names = {name: translate(name) for name in checkpoint.arrays}
    for name, count in Counter(names.values()).items():
        if count > 1:
            raise CheckpointError(
                f"{checkpoint.path}: tensor {quoted(name)} is there {count} times, under other names."
            )
    return replace(checkpoint, arrays={names[name]: array for name, array in checkpoint.arrays.items()})


def translator(names: Names) -> Callable[[str], str]:
    """Make a function that puts our name in the place of another; one without a pair stays as it is."""
    table: Mapping[str, str] = dict(names)

    def translate(name: str) -> str:
        parts = name.split(".")
        if "*" in parts:  # no name of a library's: it would be taken for a pattern
            return name
        general = ["*" if part.isdecimal() else part for part in parts]
        for end in range(min(len(parts), _MAX_PARTS), 0, -1):  # the longest beginning that the table has
            ours = table.get(".".join(parts[:end])) or table.get(".".join(general[:end]))
            if ours is not None:
                numbers = (part for part in parts if part.isdecimal())
                return ".".join([next(numbers) if part == "*" else part for part in ours.split(".")] + parts[end:])
        return name

    return translate
