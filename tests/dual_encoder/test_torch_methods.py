"""What scripts call on a model because it is a PyTorch module elsewhere."""

import copy
import pickle
from collections.abc import Callable

import numpy as np
import pytest

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.engines.onnxruntime import ONNXRuntime
from numpyclip.errors import InputError


@pytest.mark.parametrize(
    "call",
    [
        lambda model: model.eval(),
        lambda model: model.train(False),
        lambda model: model.train(mode=False),
        lambda model: model.requires_grad_(False),
        lambda model: model.float(),
        lambda model: model.cpu(),
        lambda model: model.to("cpu"),
        lambda model: model.to(device="cpu", non_blocking=True),
        lambda model: model.to("cpu", np.float32),
        lambda model: model.to(model.dtype).eval(),
    ],
)
def test_what_changes_nothing_returns_the_model(tiny: CLIP, call: Callable[[CLIP], CLIP]) -> None:
    assert call(tiny) is tiny


@pytest.mark.parametrize(
    ("call", "instead"),
    [
        (lambda model: model.cuda(), "leave the call out"),
        (lambda model: model.cuda(0), "leave the call out"),
        (lambda model: model.to("cuda"), r"model.to\('cuda'\): .* leave the call out"),
        (lambda model: model.to(dtype=np.float16), "stays on its device in its precision"),
        (lambda model: model.half(), "low_memory=True"),
        (lambda model: model.state_dict(), r"model\.checkpoint\.arrays, or numpyclip\.save"),
        (lambda model: model.parameters(), r"model\.checkpoint\.arrays\.values\(\)"),
        (lambda model: model.train(), r"call \.eval\(\)"),
        (lambda model: model.requires_grad_(), "pass False"),
    ],
)
def test_what_cannot_be_had_says_what_to_do_instead(tiny: CLIP, call: Callable[[CLIP], object], instead: str) -> None:
    with pytest.raises(InputError, match=instead):
        call(tiny)


def test_the_dtype_is_that_of_embeddings(tiny: CLIP) -> None:
    assert tiny.encode_text(tiny.tokenize("a dog")).astype(tiny.dtype).dtype == tiny.dtype == np.float32


def test_the_logit_scale_has_exp_and_is_a_plain_number_otherwise(tiny: CLIP) -> None:
    scale = tiny.logit_scale
    assert scale.exp() == np.exp(float(scale)).astype(np.float32)
    assert type(scale.exp()) is np.float32
    assert type(np.exp(scale)) is np.float32
    assert type(scale * np.ones(3, np.float32)) is np.ndarray
    assert scale.item() == float(scale)


@pytest.mark.parametrize("again", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
def test_a_copy_has_the_same_logit_scale(tiny: CLIP, again: Callable[[CLIP], CLIP]) -> None:
    assert again(tiny).logit_scale.exp() == tiny.logit_scale.exp()


def test_embeddings_are_plain_arrays(tiny: CLIP) -> None:
    logits, _ = tiny(np.zeros((1, 3, 64, 64), np.float32), tiny.tokenize("a dog"))
    assert type(logits) is np.ndarray
    assert logits == tiny.get_logits(np.zeros((1, 3, 64, 64), np.float32), tiny.tokenize("a dog"))[0]


class Torch:
    """A dtype or device as PyTorch prints it."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __str__(self) -> str:
        return self.name


def test_what_pytorch_calls_the_cpu_and_float32_changes_nothing(tiny: CLIP) -> None:
    for value in (Torch("torch.float32"), Torch("cpu"), np.float32, True, None):
        assert tiny.to(value) is tiny
        assert tiny.to(dtype=value) is tiny
    for wrong in (Torch("torch.float16"), Torch("cuda:0"), "cuda", 0):
        with pytest.raises(InputError, match=r"model\.to\("):
            tiny.to(wrong)
        with pytest.raises(InputError, match=r"model\.to\("):
            tiny.to("cpu", dtype=wrong)


def test_only_training_is_refused(tiny: CLIP) -> None:
    assert tiny.train(False) is tiny
    with pytest.raises(InputError, match="are not PyTorch modules"):
        tiny.train(True)
    with pytest.raises(InputError, match="are not PyTorch modules"):
        tiny.requires_grad_(True)


def test_a_model_may_be_moved_to_the_device_it_is_on(tiny: CLIP) -> None:
    assert tiny.device == "cpu"
    assert tiny.checkpoint is not None
    engine = ONNXRuntime("cuda:1", "float16")  # which is not imported for this
    model = CLIP.read(tiny.checkpoint, tiny.config, lambda: tiny.tokenizer, engine=engine)
    assert model.device == "cuda:1"
    assert model.to("cuda:1").cuda().float() is model
    with pytest.raises(InputError, match=r"model.to\('cuda:0'\)"):
        model.to("cuda:0")
