"""Prefixes of names, and several sets of weights in one file."""

import numpy as np
import pytest

from numpyclip.errors import UnsupportedCheckpointError
from numpyclip.weights.groups import choose, grouped

W = np.zeros(2)
CLIP = ("visual.proj", "visual.conv1.weight", "transformer.resblocks.0.ln_1.bias", "text_projection", "logit_scale")
TRANSFORMERS = ("text_model.embeddings.token_embedding.weight", "vision_model.x", "text_projection.weight")
BARE_TEXT = ("embeddings.token_embedding.weight", "embeddings.position_embedding.weight", "encoder.x", "encoder.y")
BARE = ("conv1.weight", "class_embedding", "transformer.resblocks.0.ln_1.bias", "positional_embedding")


def _named(names: tuple[str, ...], prefix: str = "") -> dict[str, np.ndarray]:
    return {prefix + name: W for name in names}


@pytest.mark.parametrize("names", [CLIP, TRANSFORMERS, BARE, BARE_TEXT], ids=range(4))
@pytest.mark.parametrize(
    "prefix",
    [
        *("", "module.", "_orig_mod.", "module._orig_mod.", "clip_model.", "_forward_module.clip.", "model.", "net."),
        *("clip.", "_fsdp_wrapped_module.", "model.model.", "student.backbone."),
    ],
)
def test_a_prefix_is_taken_off(names: tuple[str, ...], prefix: str) -> None:
    (group,) = grouped(_named(names, prefix))
    assert tuple(group.tensors) == names
    assert not group.beside


def test_wrappers_within_a_model_are_taken_off() -> None:
    names = ("_fsdp_wrapped_module.visual._orig_mod.proj", "_fsdp_wrapped_module.text_projection")
    (group,) = grouped(dict.fromkeys(names, W))
    assert tuple(group.tensors) == ("visual.proj", "text_projection")


def test_wrappers_stay_where_two_names_would_become_one() -> None:
    names = ("visual.proj", "_orig_mod.visual.proj")
    both = grouped(dict.fromkeys(names, W))
    assert [(group.prefix, tuple(group.tensors)) for group in both] == [("", names[:1]), ("_orig_mod.", names[:1])]


@pytest.mark.parametrize("prefix", ["model.", "module."])
def test_tensors_without_the_prefix_stand_beside(prefix: str) -> None:
    (group,) = grouped({"n_averaged": W, **_named(CLIP, prefix), "loss.temperature": W})
    assert tuple(group.tensors) == CLIP
    assert group.beside == ("n_averaged", "loss.temperature")


@pytest.mark.parametrize(
    "names",
    [
        ("text.text_projection", "visual.proj", "text.token_embedding.weight"),
        ("text.token_embedding.weight", "text.text_projection"),
        ("image.visual.proj", "words.text_projection"),
        ("a.b", "a.c"),
        ("cond_stage_model.model.text_projection", *(f"model.diffusion_model.{index}" for index in range(9))),
    ],
    ids=["OpenCLIP's text tower", "that alone", "one for each tower", "unknown", "least of all names"],
)
def test_a_prefix_that_is_none_of_a_wrapper_is_part_of_the_name(names: tuple[str, ...]) -> None:
    (group,) = grouped(dict.fromkeys(names, W))
    assert tuple(group.tensors) == names


def test_endless_prefixes_take_no_time() -> None:
    names = [f"{index}.visual.x" for index in range(2**15)]
    (group,) = grouped(dict.fromkeys(names, W))
    assert list(group.tensors) == names


def test_a_module_of_something_else_is_taken_out() -> None:
    assert tuple(grouped({"module.bert.x": W, "module.y": W})[0].tensors) == ("bert.x", "y")


def _chosen(*places: str, prefixes: tuple[str, ...] = ("",)) -> tuple[str, str | None]:
    tensors = {name: W for prefix in prefixes for name in _named(CLIP, prefix)}
    group, note = choose([group for place in places for group in grouped(tensors, place)], "file")
    assert tuple(group.tensors) == CLIP
    return group.label, note


@pytest.mark.parametrize(
    ("places", "chosen"),
    [
        (("state_dict", "state_dict_ema"), "state_dict_ema"),
        (("ema", "net"), "ema"),
        (("model", "model_ema"), "model_ema"),
        (("student", "teacher"), "student"),
        (("model", "frozen_teacher"), "model"),
        (("backup.state_dict", "model"), "model"),
        (("exp_avg", "mine"), "mine"),
        (("avg_grad", "mine"), "mine"),
        (("grads", "clip_weights"), "clip_weights"),
        (("model", "EMA"), "EMA"),
        (("", "swa_model"), "swa_model"),
        (("other", "state_dict"), "state_dict"),
        (("best", "model"), "model"),
        (("scheme", "net"), "net"),
        (("ema.deep", "ema"), "ema"),
    ],
)
def test_of_several_one_is_chosen_and_the_others_are_named(places: tuple[str, ...], chosen: str) -> None:
    for order in (places, places[::-1]):
        label, note = _chosen(*order)
        assert label == chosen
        assert note
        assert ("as timm does" in note) == (chosen in ("state_dict_ema", "model_ema"))
        assert ("average" in note) == ("ema" in chosen.lower() or "swa" in chosen)
        for place in filter(None, places):
            assert repr(place) in note


def test_an_average_may_have_a_prefix_of_its_own() -> None:
    label, note = _chosen("ema", prefixes=("online_model.", "ema_model."))
    assert label == "ema.ema_model"
    assert note is not None and "under 'ema_model.' and in 'ema' under 'online_model.'" in note
    assert _chosen("", prefixes=("", "ema."))[0] == "ema"


def test_what_has_more_tensors_is_no_average() -> None:
    larger = _named((*CLIP, "visual.a", "visual.b", "visual.c"), "ema.")
    assert choose(grouped({**_named(CLIP, "student."), **larger}), "file")[0].label == "student"
    assert (
        choose(grouped({**_named(CLIP, "model."), **_named((*CLIP, "step"), "ema."), "x": W}), "file")[0].label == "ema"
    )


@pytest.mark.parametrize("name", ["logit_scale", "criterion.logit_scale"])
def test_a_scale_that_the_wrapper_has_is_the_models(name: str) -> None:
    (group,) = grouped({**_named(CLIP[:-1], "model."), name: W, "other": W})
    assert (tuple(group.tensors), group.beside) == (CLIP, ("other",))
    (group,) = grouped({**_named(CLIP, "model."), name: W})
    assert group.beside == (name,)


def test_averages_without_dots_in_their_names_stand_beside() -> None:
    """Latent diffusion's `LitEma` takes the dots out of the names."""
    averages = {f"model_ema.{name.replace('.', '')}": W for name in CLIP}
    (group,) = grouped({**_named(CLIP, "model."), **averages, "model_ema.decay": W})
    assert tuple(group.tensors) == CLIP


def test_what_has_another_shape_is_no_average() -> None:
    larger = {name: np.zeros(3) for name in _named(CLIP, "ema.")}
    group, note = choose(grouped({**_named(CLIP, "student."), **larger}), "file")
    assert group.label == "student"
    assert note is not None and "ema" in note


def test_an_average_without_all_tensors_is_not_used() -> None:
    group, note = choose([*grouped(_named(CLIP), "model"), *grouped(_named(CLIP[:-1]), "ema")], "file")
    assert (group.label, bool(note)) == ("model", True)


def test_small_dicts_and_those_without_names_of_a_clip_do_not_count() -> None:
    others = [*grouped({"a": W}, "x"), *grouped(_named(tuple("abcdefghij")), "state_dict")]
    group, note = choose([*others, *grouped(_named(CLIP), "mine")], "file")
    assert (group.label, note) == ("mine", None)


@pytest.mark.parametrize("places", [("zeroshot", "finetuned"), ("x.ref", "x.policy"), ("last", "best", "a.model_1")])
def test_of_models_without_a_usual_name_none_is_chosen(places: tuple[str, ...]) -> None:
    with pytest.raises(
        UnsupportedCheckpointError, match=rf"^file: holds {len(places)} models of one kind, in '"
    ) as error:
        _chosen(*places)
    assert all(repr(place) in str(error.value) for place in places)


DEEP = (*CLIP, *(f"transformer.resblocks.{index}.ln_1.bias" for index in range(1, 30)))


@pytest.mark.parametrize("name", ["model", "student", "net", "weights", "state_dict"])
def test_a_usual_name_wins_over_a_larger_model(name: str) -> None:
    dicts = [*grouped(_named(CLIP), name), *grouped(_named(DEEP), "teacher")]
    prefixes = grouped({**_named(CLIP, f"{name}."), **_named(DEEP, "teacher.")})
    for groups in (dicts, dicts[::-1], prefixes):
        group, note = choose(groups, "file")
        assert group.label == name
        assert note is not None and "'teacher" in note


@pytest.mark.parametrize("name", ["ema", "swa", "mine"])
def test_a_larger_model_is_not_read_where_no_name_tells(name: str) -> None:
    with pytest.raises(UnsupportedCheckpointError, match="holds 2 models of one kind, in 'teacher', in '"):
        choose([*grouped(_named(CLIP), name), *grouped(_named(DEEP), "teacher")], "file")


def test_what_has_a_part_of_a_models_tensors_is_no_other_model() -> None:
    group, note = choose([*grouped(_named(CLIP[:-1]), "mine"), *grouped(_named(CLIP), "other")], "file")
    assert (group.label, bool(note)) == ("other", True)


TEXT = ("token_embedding.weight", "transformer.resblocks.0.ln_1.bias", "text_projection", "logit_scale")


def test_towers_in_dicts_of_their_own_are_joined() -> None:
    for image in (_named(BARE), _named(BARE, "visual."), _named(BARE, "module.visual.")):
        groups = [*grouped(image, "visual"), *grouped(_named(TEXT), "text")]
        for order in (groups, groups[::-1]):
            group, note = choose(order, "file")
            assert set(group.tensors) == {*TEXT, *(f"visual.{name}" for name in BARE)}
            assert note is not None and "'visual'" in note and "'text'" in note
    two = [*groups, *grouped(_named(TEXT), "text_2")]
    with pytest.raises(UnsupportedCheckpointError, match=r"holds 2 models of one kind, in 'text', in 'text_2'"):
        choose([two[0], *two[1:]], "file")


def test_a_whole_model_is_one_beside_any_number_of_other_names() -> None:
    (group,) = grouped({**_named(CLIP, "clip."), **{f"decoder.layers.{index}": W for index in range(80)}})
    assert tuple(group.tensors) == CLIP
