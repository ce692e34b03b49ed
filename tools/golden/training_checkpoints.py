"""Checkpoints as training scripts save them, `tests/golden/training`: all of one CLIP, of the tensors in `weights.npz`.

With `PYTHONPATH` naming omegaconf (2.4) or NumPy before 2, their objects are among those beside the weights; without
them, the files that hold them are left as they are.
"""

import argparse
import collections
import dataclasses
import datetime
import decimal
import enum
import fractions
import functools
import pathlib
import random
import types
import typing
import uuid
import warnings
from pathlib import Path

import clip.model
import numpy as np
import safetensors.torch
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from golden.common import SEED, State, randomize


class Mode(enum.Enum):
    """An enumeration of a script."""

    TRAIN = "train"


@dataclasses.dataclass
class Settings:
    """A dataclass of a script."""

    rate: float = 0.1


class Results(dict):
    """A dict of a script."""

    class Inner(enum.IntFlag):
        """An enumeration whose class is found by `getattr`."""

        A = 1


class Point(typing.NamedTuple):
    """A tuple of a script."""

    x: int = 1


def _model() -> clip.model.CLIP:
    """Make a model that is so small that it only serves to be read: openai/CLIP's heads are 64 wide."""
    torch.manual_seed(SEED)
    model = clip.model.CLIP(4, 4, 0, 4, 2, 6, 12, 4, 1, 1).eval()
    model.visual = clip.model.VisionTransformer(4, 2, 4, 1, 1, 4).eval()
    model.transformer = clip.model.Transformer(4, 0, 1)
    randomize(model, SEED)
    parameters = list(model.parameters())
    nn.utils.vector_to_parameters(nn.utils.parameters_to_vector(parameters), parameters)  # one storage: smaller files
    return model


def _beside() -> dict[str, object]:
    """Make objects of the kinds that scripts save beside the weights."""
    optimizer = torch.optim.AdamW([nn.Parameter(torch.ones(2))])
    zone = datetime.timezone(datetime.timedelta(hours=1))
    return {
        "saved": datetime.datetime(2020, 1, 1, tzinfo=zone),
        "day": [datetime.date(2020, 1, 1), datetime.time(1, 2), datetime.timedelta(days=1)],
        "last": collections.deque([0.5], maxlen=3),
        "seen": {1, 2},
        "frozen": frozenset(["a"]),
        "folder": pathlib.PurePosixPath("out"),
        "args": argparse.Namespace(rate=0.1, out=pathlib.Path("out"), mode=Mode.TRAIN),
        "more_args": types.SimpleNamespace(a=1),
        "complex": 1 + 2j,
        "complex_tensor": torch.tensor([1 + 2j]),
        "enum": [Mode.TRAIN, Results.Inner.A],
        "of_a_script": [Settings(), Results(a=1), Point()],
        "counts": collections.Counter("aab"),
        "numbers": [decimal.Decimal("0.1"), fractions.Fraction(1, 3), 10**700, uuid.UUID(int=1)],
        "torch": [torch.Size([1, 2]), torch.device("cpu"), torch.bfloat16, torch.strided],
        "partial": functools.partial(torch.optim.AdamW, lr=0.1),
        "optimizer": optimizer.state_dict(),
        "optimizer_object": optimizer,
        "scheduler_object": torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 10),
        "generators": [np.random.default_rng(0), np.random.RandomState(0), torch.get_rng_state()[:100].clone()],
        "states": random.Random(0).getstate()[1][:9],
        "arrays": [np.arange(3), np.ones((2, 2), order="F"), np.array(["a"]), np.array([{}], object)],
        "scalars": [np.float64(1), np.bool_(True), np.datetime64("2020"), np.str_("a"), np.dtype("f4")],
        "buffer": nn.Buffer(torch.ones(2)),
        "parameter": nn.Parameter(torch.ones(2)),
        "quantized": torch.quantize_per_tensor(torch.ones(2), 0.1, 0, torch.qint8),
        "sparse": torch.ones(2).to_sparse(),
        "eighths": torch.ones(2).to(torch.float8_e4m3fn),
        "bytes": [b"a", bytearray(b"b")],
        "slices": [slice(1), range(3), ...],
        "by_tuple": {(1, 2): 3},
    }


def _plus_one(state: State) -> State:
    """Add 1 to tensors of one storage, so that they are of one again."""
    sizes = [tensor.numel() for tensor in state.values()]
    added = torch.cat([tensor.flatten() for tensor in state.values()]) + 1
    return {name: part.view_as(state[name]) for name, part in zip(state, added.split(sizes), strict=True)}


def _prefixed(state: State, prefix: str) -> State:
    return {prefix + name: tensor for name, tensor in state.items()}


def _kinds(model: nn.Module, state: State) -> dict[str, object]:
    other = _plus_one(state)
    averaged, one = AveragedModel(model), torch.tensor(1)
    return {
        "net": {"net": state, "epoch": 3},
        "deepspeed": {
            "module": state,
            "optimizer": None,
            "ds_version": "0.14.0",
            "param_shapes": [{"a": torch.Size([1])}],
        },
        "timm-ema": {"state_dict": other, "state_dict_ema": state, "arch": "clip", "epoch": 3},
        "mae-ema": {"model": other, "model_ema": state, "scaler": {"scale": 1.0}},
        "dino": {"student": _prefixed(state, "module."), "teacher": other, "epoch": 3},
        "ema-pytorch": {"ema": {"step": one, **_prefixed(other, "online_model."), **_prefixed(state, "ema_model.")}},
        "averaged": averaged.state_dict(),
        "parallel": nn.DataParallel(model).state_dict(),
        "compiled": torch.compile(model).state_dict(),
        "fsdp": {
            "_fsdp_wrapped_module." + name.replace(".0.", ".0._checkpoint_wrapped_module."): tensor
            for name, tensor in state.items()
        },
        "lightning": {
            "pytorch-lightning_version": "2.4.0",
            "state_dict": {**_prefixed(state, "model."), "sink_temp": torch.tensor(1.0), "loss.weight": torch.ones(2)},
            "optimizer_states": [{"state": {}, "param_groups": []}],
            "hyper_parameters": {"net": model},
            "callbacks": {"ModelCheckpoint{'mode': 'min'}": {"best_model_score": torch.tensor(0.5)}},
        },
        "attn-mask": {**state, "attn_mask": torch.zeros(6, 6)},
        "whole": {"model": model, "epoch": 3},
    }


def save(families: Path) -> None:
    """Write the files, and the tensors of the model."""
    warnings.simplefilter("ignore")  # of what PyTorch means to remove
    folder = families.parent / "training"
    folder.mkdir(exist_ok=True)
    model = _model()
    state = dict(model.state_dict())
    for name, content in _kinds(model, state).items():
        torch.save(content, folder / f"{name}.pt")
    beside = {"model": state, **_beside()}
    for protocol in (2, 5):
        torch.save(beside, folder / f"beside-{protocol}.pt", pickle_protocol=protocol)
    torch.save(beside, folder / "beside-legacy.pt", _use_new_zipfile_serialization=False)
    safetensors.torch.save_file(
        {name: tensor.clone() for name, tensor in _prefixed(state, "clip.").items()}, folder / "prefix.safetensors"
    )
    np.savez_compressed(folder / "weights.npz", **{name: tensor.numpy() for name, tensor in state.items()})
    _save_of_other_packages(folder, state)


def _save_of_other_packages(folder: Path, state: State) -> None:
    if np.__version__.startswith("1."):
        arrays = {"arrays": [np.arange(3), np.float64(1)], "states": np.random.RandomState(0).get_state()}
        for protocol in (2, 5):
            torch.save({"state_dict": state, **arrays}, folder / f"numpy1-{protocol}.pt", pickle_protocol=protocol)
    try:
        import omegaconf
    except ImportError:
        return
    config = omegaconf.OmegaConf.create({"model": {"width": 8}, "rates": [0.1, 0.2]})
    torch.save({"state_dict": state, "config": config}, folder / "omegaconf.pt")
