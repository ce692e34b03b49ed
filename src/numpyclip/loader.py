"""From a model's name, or a file or folder of weights, to a model: find, read, measure, build."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from numpyclip.errors import CheckpointError, InputError
from numpyclip.weights.catalogue import DOWNLOADABLE, EMBEDDED
from numpyclip.weights.local import exists

if TYPE_CHECKING:
    from numpyclip.families.family import Recognized
    from numpyclip.images.preprocess import Preprocess
    from numpyclip.model.clip import CLIP
    from numpyclip.model.config import CLIPConfig
    from numpyclip.weights.checkpoint import Activation, Checkpoint


def load(  # noqa: PLR0913  the first four are those of openai/CLIP
    name: str | os.PathLike[str],
    device: object = "cpu",
    jit: bool = False,
    download_root: str | os.PathLike[str] | None = None,
    *,
    pretrained: str | os.PathLike[str] | None = None,
    activation: Activation | None = None,
    low_memory: bool = False,
) -> tuple[CLIP, Preprocess]:
    """Load a model.

    Parameters
    ----------
    name : str or path
        A name from `available_models`, or a file (TorchScript archive, state dict of ``torch.save``,
        ``.safetensors``, ``.npz``), or a folder that holds one. Or ``"hf-hub:organization/name"``, perhaps with
        ``@revision``: a repository of the Hugging Face hub, in the layout of OpenCLIP or of transformers. Or, with
        `pretrained`, OpenCLIP's name of an architecture, such as ``"ViT-B-32"``.
    device : default="cpu"
        Only "cpu"; here so that code for openai/CLIP runs unchanged.
    jit : bool, default=False
        Has no effect, for the same reason.
    download_root : str or path, optional
        Where downloads go and are looked for; else ``$CLIP_DIR``, else ``~/.cache/clip``; for models of the hub,
        else where its own settings say (``$HF_HOME``).
    pretrained : str or path, optional
        Which weights of OpenCLIP's architecture: the tag of published ones, such as ``"laion2b_s34b_b79k"``, or a
        file or folder of one's own. ``numpyclip models --all`` lists the tags.
    activation : {"quick_gelu", "gelu", "gelu_tanh"}, optional
        For files that do not record which one the model was trained with. Without it such a file is taken for
        one of OpenAI's kind, as openai/CLIP does, and a warning says so.
    low_memory : bool, default=False
        Keep the weights as they are in the file, in half precision for OpenAI's, and make each block's float32
        when it is used: half the memory, and slower by a time that does not depend on the size of the batch.

    Returns
    -------
    model : CLIP
        Of its kind `CoCa`, which also writes captions, if the weights have a decoder.
    preprocess : Preprocess
        Turns a PIL image into the array (3, size, size) that the model takes.

    Raises
    ------
    ModelNotFoundError
        If the name or tag is unknown and no such file exists, or the hub has no such repository for this user.
    CheckpointError
        If the file is no CLIP that can be run, is damaged, or asks for more than tensors.
    DownloadError
        If the weights are not there and cannot be fetched.
    InputError
        If `device` or `activation` is none of those above.
    """
    if str(device) != "cpu":
        raise InputError(f"device is '{device}'; NumPyCLIP runs on the CPU only. Leave it out, or pass 'cpu'.")
    if activation not in (None, "quick_gelu", "gelu", "gelu_tanh"):
        raise InputError(f"activation is {activation!r}; expected 'quick_gelu', 'gelu' or 'gelu_tanh'.")
    if not isinstance(name, str | os.PathLike):
        raise InputError(f"name is {name!r:.60}; expected the name of a model, or a path.")
    found = _recognize(os.fspath(name), pretrained, download_root, activation)
    if activation not in (None, found.config.activation):
        raise CheckpointError(
            f"{found.checkpoint.path}: records the activation '{found.config.activation}', but "
            f"'{activation}' was passed."
        )
    checkpoint = found.checkpoint.described(found.description, repr(found.config))
    model = _kind(found.config).read(checkpoint, found.config, found.tokenizer, low_memory)
    return model, model.preprocess


def _recognize(
    name: str,
    pretrained: str | os.PathLike[str] | None,
    download_root: str | os.PathLike[str] | None,
    activation: Activation | None,
) -> Recognized:
    from numpyclip.families import apple, openai
    from numpyclip.weights.read import read

    if pretrained is not None:
        from numpyclip.families.pretrained import read_pretrained

        return read_pretrained(name, pretrained, download_root)
    if name in EMBEDDED:
        return openai.recognize(read(EMBEDDED[name]), "quick_gelu")
    if name in DOWNLOADABLE:
        from numpyclip.weights.download import obtain

        return openai.recognize(read(obtain(DOWNLOADABLE[name], download_root)), "quick_gelu")
    path = _path(name, download_root)
    if path.is_dir():
        from numpyclip.families.folder import only_file
        from numpyclip.families.layouts import read_described

        if described := read_described(path):
            return described
        path = only_file(path)
    checkpoint = read(path)
    if apple.is_apples(checkpoint):
        return apple.recognize(checkpoint)
    return openai.recognize(checkpoint, _activation(checkpoint, activation))


def _path(name: str, download_root: str | os.PathLike[str] | None) -> Path:
    if name.startswith("hf-hub:"):
        from numpyclip.families.layouts import wanted
        from numpyclip.weights import hub

        return hub.obtain(name, wanted, download_root)
    if not exists(name):
        from numpyclip.families.pretrained import unknown_name

        raise unknown_name(name)
    return Path(name)


def _kind(config: CLIPConfig) -> type[CLIP]:
    """Return the kind of model that a configuration describes; others are not even imported."""
    if config.decoder is not None:
        from numpyclip.model.captioning.coca import CoCa

        return CoCa
    from numpyclip.model.clip import CLIP

    return CLIP


def _activation(checkpoint: Checkpoint, wanted: Activation | None) -> Activation:
    if not (checkpoint.activation or wanted):
        warnings.warn(
            f"{checkpoint.path}: the activation is not recorded; QuickGELU is used, as openai/CLIP does. "
            "Pass activation='quick_gelu' (OpenAI and models trained from theirs) to confirm, or 'gelu' (LAION and "
            "most of OpenCLIP's): with the wrong one the results are silently worse.",
            stacklevel=4,
        )
    return checkpoint.activation or wanted or "quick_gelu"
