"""Export a model: check, build the graphs, write the folder."""

from __future__ import annotations

import os
import warnings
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from numpyclip.arguments import Precision, checked_precision
from numpyclip.errors import CheckpointError, InputError

if TYPE_CHECKING:
    from numpyclip.dual_encoder.clip import CLIP

Layout: TypeAlias = Literal["open", "immich", "transformers.js"]

LAYOUTS: tuple[Layout, ...] = get_args(Layout)


def export(
    model: CLIP | str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    layout: Layout = "open",
    precision: Precision = "float32",
    overwrite: bool = False,
) -> Path:
    """Write the towers of a model as ONNX graphs, with all that another program needs to run them.

    That of images alone, with a warning, if texts have no tokenizer; Immich needs both.

    Parameters
    ----------
    model : CLIP, or str or path
        A model, or what `load` takes.
    folder : str or path
        To be created, atomically.
    layout : {"open", "immich", "transformers.js"}, default="open"
        For `load`, with an engine; for Immich's machine learning; or for transformers.js, in a browser or Node.
    precision : {"float32", "bfloat16", "float16", "int8"}, default="float32"
        What the graphs compute in; "int8" are int8 weights. ONNX Runtime has no "bfloat16" on CPUs, so only
        the layout "open" takes it.
    overwrite : bool, default=False
        Replace a folder that was exported before.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    UnsupportedCheckpointError
        If the layout cannot express how the model prepares images or texts; the message says which option.
    InputError
        If an argument is wrong, the folder exists, or a tower has no graph.
    MissingPackageError
        If the package onnx is not installed, or one that the tokenizer needs.
    NumPyCLIPError
        If the folder cannot be written.
    """
    import numpyclip.graph  # noqa: F401  says what is missing
    from numpyclip.atomic import atomic_folder
    from numpyclip.dual_encoder.clip import CLIP
    from numpyclip.layouts import immich, open_folder, transformers_js
    from numpyclip.loader import load
    from numpyclip.saving.target_folder import check_target

    if layout not in LAYOUTS:
        raise InputError(f"layout is {layout!r:.60}; expected {' or '.join(map(repr, LAYOUTS))}.")
    precision = checked_precision(precision)
    loaded = (model if isinstance(model, CLIP) else load(model, low_memory=True)[0])._for_graph()
    if layout != "immich":
        loaded = _without_texts_of_no_tokenizer(loaded)
    module = {"open": open_folder, "immich": immich, "transformers.js": transformers_js}[layout]
    target = Path(folder).resolve()  # where a link points
    with atomic_folder(target, overwrite) as part:
        source = loaded.checkpoint.path if loaded.checkpoint else None
        check_target(target, source, overwrite, module.FILES, f"an export of the layout {layout!r}")
        module.write_folder(loaded, precision, part)
    return Path(folder)


def _without_texts_of_no_tokenizer(model: CLIP) -> CLIP:
    config = model.config
    try:
        if config.text is not None and config.vision is not None:
            _ = model.tokenizer
    except CheckpointError as error:
        warnings.warn(f"{error} Images alone are exported.", stacklevel=3)
        return replace(model, config=replace(config, text=None))
    return model
