"""From a model's name, or a file or folder of weights, to a model: locate, recognize, build."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from numpyclip.errors import InputError

if TYPE_CHECKING:
    from numpyclip.dual_encoder.clip import CLIP
    from numpyclip.engines.engine import Engine
    from numpyclip.families.description import ModelDescription
    from numpyclip.families.exported import ExportedModel
    from numpyclip.images.preprocess import Preprocess
    from numpyclip.model.config import CLIPConfig
    from numpyclip.weights.activations import Activation


class TruncationWarning(UserWarning):
    """A model is not known to be trained for truncated embeddings."""


def load(  # noqa: PLR0913  the first four are those of openai/CLIP
    name: str | os.PathLike[str],
    device: object = "cpu",
    jit: bool = False,
    download_root: str | os.PathLike[str] | None = None,
    *,
    pretrained: str | os.PathLike[str] | None = None,
    activation: Activation | None = None,
    low_memory: bool = False,
    truncate_dim: int | None = None,
    text_model: str | os.PathLike[str] | None = None,
    engine: str | None = None,
    precision: str | None = None,
) -> tuple[CLIP, Preprocess]:
    """Load a model.

    Parameters
    ----------
    name : str or path
        A name from `available_models`, or a file (TorchScript archive, state dict of ``torch.save``,
        ``.safetensors``, ``.npz``), or a folder that holds one, or that `export` has written. Or
        ``"hf-hub:organization/name"``, perhaps with ``/subfolder`` and ``@revision``: a repository of the Hugging Face
        hub, in the layout of OpenCLIP or of transformers. Or, with `pretrained`, OpenCLIP's name of an architecture,
        such as ``"ViT-B-32"``.
    device : default="cpu"
        Where to compute: ``"cpu"``, or with an engine that has it ``"cuda"``, ``"gpu"``, ``"coreml"``,
        ``"directml"`` or ``"rocm"``, perhaps with an index, as in ``"cuda:1"``.
    jit : bool, default=False
        Has no effect; accepted for scripts of openai/CLIP.
    download_root : str or path, optional
        The folder of downloads; else ``$CLIP_DIR``, else ``~/.cache/clip``; for models of the hub, else its own cache
        (``$HF_HOME``).
    pretrained : str or path, optional
        The weights of OpenCLIP's architecture: the tag of published ones, such as ``"laion2b_s34b_b79k"``, or a file or
        folder. ``numpyclip models --all`` lists the tags.
    activation : {"quick_gelu", "gelu", "gelu_tanh"}, optional
        For files that do not record the activation, that of `text_model` included. By default QuickGELU is then
        assumed, as openai/CLIP does, with a warning.
    low_memory : bool, default=False
        Keep the weights in the file's dtype (float16 for OpenAI's) and convert each block to float32 at every use:
        half the memory, slower by a time independent of batch size. Without an engine only.
    truncate_dim : int, optional
        Keep the first dimensions of embeddings only, as sentence-transformers does. Models that were not trained for it
        (Matryoshka representation learning) lose more accuracy, and a warning says so.
    text_model : str or path, optional
        Another model, named as `name`, whose text tower replaces that of this model and was trained to match it:
        ``"hf-hub:M-CLIP/LABSE-Vit-L-14"``, say. The repositories of M-CLIP and
        ``"hf-hub:sentence-transformers/clip-ViT-B-32-multilingual-v1"`` are loaded with the model of their images.
    engine : {"numpy", "openvino", "onnxruntime"}, optional
        What computes embeddings: by default NumPy or, if it lacks the device or the precision, an installed engine
        that has both. Tokens, attention and captions are always computed by NumPy, in float32.
    precision : {"float32", "bfloat16", "float16", "int8"}, optional
        Precision of matrix products; with "int8", weights are rounded to eight bits, and so are inputs of layers by
        some engines. By default "float32", or what `name` was exported in.

    Returns
    -------
    model : CLIP
        A `CoCa`, which also writes captions, if the weights have a decoder.
    preprocess : Preprocess
        Converts a PIL image to the float32 array (3, size, size) that the model takes.

    Raises
    ------
    ModelNotFoundError
        If the name or tag is unknown and no such file exists, or the hub has no such repository for this user.
    CheckpointError
        If the file is no supported CLIP, is damaged, or asks for more than tensors.
    DownloadError
        If the weights are missing and cannot be downloaded.
    InputError
        If an argument is none of those above, or contradicts another: an engine without such a device or precision,
        `low_memory` with an engine, or for an exported folder an option that `export` has fixed.
    MissingPackageError
        If the engine that has this device and precision is not installed.
    EngineError
        If an engine is installed, but has no such device here, or cannot compute with it.
    """
    from numpyclip.families.aliases import resolve
    from numpyclip.families.locate import locate
    from numpyclip.families.recognize import recognize
    from numpyclip.weights.activations import ACTIVATIONS

    if activation not in (None, *ACTIVATIONS):
        raise InputError(f"activation is {activation!r:.60}; expected {' or '.join(map(repr, ACTIVATIONS))}.")
    if not isinstance(name, str | os.PathLike):
        raise InputError(f"name is {name!r:.60}; expected the name of a model, or a path.")
    if not isinstance(pretrained, str | os.PathLike | None):
        raise InputError(f"pretrained is {pretrained!r:.60}; expected a tag of OpenCLIP's, or a path.")
    if not isinstance(download_root, str | os.PathLike | None):
        raise InputError(f"download_root is {download_root!r:.60}; expected a path.")
    if not isinstance(text_model, str | os.PathLike | None):
        raise InputError(f"text_model is {text_model!r:.60}; expected the name of a model, or a path.")
    fixed = {"pretrained": pretrained, "activation": activation, "truncate_dim": truncate_dim, "text_model": text_model}
    exported = _read_exported(Path(name), precision, fixed)
    chosen = _choose(engine, device, precision, exported, low_memory)
    if exported is not None and chosen is not None:
        from numpyclip.dual_encoder.from_graphs import from_graphs

        model = from_graphs(exported, chosen)
        return model, model.preprocess
    named = resolve(os.fspath(name), pretrained, text_model)
    found = recognize(locate(named.name, named.pretrained, download_root), activation)
    model = _read(_truncate(found, truncate_dim), low_memory, chosen)
    if named.text_model is not None:
        from numpyclip.dual_encoder.pair import pair

        texts = recognize(locate(os.fspath(named.text_model), None, download_root), fallback=activation)
        texts = replace(texts, config=texts.config.standardize())
        model = pair(model, _read(_truncate(texts, truncate_dim, warned=True), low_memory, chosen))
    return model, model.preprocess


def _read_exported(folder: Path, precision: object, fixed: Mapping[str, object]) -> ExportedModel | None:
    """Read a folder that was exported, None if it is none; raise InputError for an option that was fixed with it."""
    from numpyclip.families.repository_files import is_exported

    if not is_exported(folder):
        return None
    from numpyclip.families.exported import read_exported

    exported = read_exported(folder)
    if precision not in (None, exported.precision):
        raise InputError(
            f"{folder}: was exported in {exported.precision}, not in {precision!r:.60}. Leave precision out, or export "
            "the model again."
        )
    for name, value in fixed.items():
        if value is not None:
            raise InputError(
                f"{folder}: was exported, and {name} is {value!r:.60}. Pass it to export, or leave it out."
            )
    return exported


def _truncate(found: ModelDescription, dim: int | None, *, warned: bool = False) -> ModelDescription:
    """Truncate embeddings to their first dimensions, with a warning if the model is not known to be trained for it."""
    if dim is None:
        return found
    from numpyclip.dual_encoder.validation import checked_dim

    config = found.config.truncate(checked_dim(dim, found.config.embed_dim))
    if config is not found.config and not config.matryoshka and not warned:
        doubt = (
            f"{found.checkpoint.path}: this model is not known to be trained for truncated embeddings (Matryoshka "
            "representation learning); truncate_dim makes its results worse."
        )
        warnings.warn(doubt, TruncationWarning, stacklevel=3)
    return replace(found, config=config)


def _choose(
    engine: object, device: object, precision: object, exported: ExportedModel | None, low_memory: bool
) -> Engine | None:
    """Return the engine that is asked for, None for NumPy."""
    if exported is None and engine is None and precision is None and str(device) == "cpu":
        return None  # without importing engines, to start fast
    from numpyclip.engines.selection import choose, choose_for_graphs

    if exported is None:
        chosen = choose(engine, device, precision)
    else:
        chosen = choose_for_graphs(exported.folder, exported.precision, engine, device)
    if low_memory and chosen is not None:
        raise InputError(f"low_memory is {low_memory}, and engine {chosen.name!r} keeps all weights. Leave one out.")
    return chosen


def _read(found: ModelDescription, low_memory: bool, engine: Engine | None) -> CLIP:
    model = _kind(found.config).read(found.checkpoint, found.config, found.tokenizer, low_memory, engine)
    for doubt in (*found.warnings, *(model.checkpoint.warnings if model.checkpoint else ())):
        warnings.warn(doubt, stacklevel=3)
    return model


def _kind(config: CLIPConfig) -> type[CLIP]:
    """Return the class of a model, importing no other."""
    if config.decoder is not None:
        from numpyclip.dual_encoder.coca import CoCa

        return CoCa
    from numpyclip.dual_encoder.clip import CLIP

    return CLIP
