"""The model that an index records, and whether embeddings of another can be compared with it, or added."""

from __future__ import annotations

from dataclasses import replace

from numpyclip.dual_encoder.embedding_model import EmbeddingModel
from numpyclip.dual_encoder.fingerprint import Fingerprint
from numpyclip.errors import InputError
from numpyclip.index.store import Store


def check_fit(store: Store, model: EmbeddingModel) -> None:
    """Raise InputError if the embeddings of an index and a model do not compare; warn of another precision."""
    found, mine = store.fingerprint, model.fingerprint
    if found is None:
        return
    check_comparable(store, found, mine)
    found.warn_of_precision(store.place, mine, stacklevel=4)


def check_comparable(store: Store, found: Fingerprint, mine: Fingerprint) -> None:
    """Raise InputError if the embeddings of an index and those of a model do not compare."""
    if not found.is_comparable(mine):
        raise InputError(f"{store.place}: {_mismatch(found, mine)}")


def record_model(store: Store, model: EmbeddingModel, precision: str | None, *, mix: bool) -> None:
    """Record the model of embeddings to be added, in this precision or its own; see `Index.begin`."""
    mine = replace(model.fingerprint, precision=precision or model.fingerprint.precision)
    if store.fingerprint is None:
        store.begin(mine, model.config.embed_dim)
    found = store.fingerprint or mine
    check_comparable(store, found, mine)  # another process may have begun with another model
    if both := found.mixed_with(mine):
        if not mix:
            raise other_precision(found, mine.precision, store, model)
        store.mix(both)
    elif found == mine and mine.weights_float16 and not found.weights_float16:
        store.replace_fingerprint(mine)


def other_precision(found: Fingerprint, added: str, store: Store, model: EmbeddingModel) -> InputError:
    """Return the error that keeps embeddings of different precisions apart."""
    options = model.engine.options if model.engine else "--engine numpy"
    return InputError(
        f"{store.place}: its embeddings are computed in {found.precision}, new ones would be in {added}. "
        "Compute in the index's precision (--precision), pass mix_precisions=True (--mix-precisions), or re-embed "
        f"everything: numpyclip index --migrate {options}."
    )


def _mismatch(found: Fingerprint, other: Fingerprint) -> str:
    """Say why an index cannot be used with a model, and what to do."""
    if dims := found.differing_dims(other):
        remedy = "leave out truncate_dim (--truncate-dim)"
        if "full_dim" in found.architecture:
            remedy = f"pass truncate_dim={dims[0]} (--truncate-dim {dims[0]})"
        return (
            f"holds embeddings of {dims[0]} dimensions, not {dims[1]}; {remedy}, or re-embed: "
            f"numpyclip index --migrate --truncate-dim {dims[1]}."
        )
    return (
        f"holds embeddings of another model ({found.differences(other)}). Name the model that it was made with, or "
        "re-embed everything: numpyclip index --migrate --model NEW."
    )
