"""The calibration that an index records, for the model that it was fitted with."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, fields

from numpyclip.dual_encoder.embedding_model import EmbeddingModel
from numpyclip.dual_encoder.fingerprint import Fingerprint
from numpyclip.errors import InputError, StoreError
from numpyclip.index.store import Store
from numpyclip.tasks.background import Calibration

_NAMES = tuple(field.name for field in fields(Calibration))
_NONE = "{}"


def stored_calibration(store: Store, model: EmbeddingModel) -> Calibration:
    """Return the calibration of an index; the default one if there is none, or it is of another model or text model."""
    if (written := store.calibration()) == _NONE:
        return Calibration()
    try:
        values = json.loads(written)
        found = Fingerprint.from_json(json.dumps(values["fingerprint"]))
        numbers = [float(values[name]) for name in _NAMES]
        if not all(map(math.isfinite, numbers)):
            raise ValueError("not finite")
    except (InputError, KeyError, TypeError, ValueError, RecursionError):
        raise StoreError(
            f"{store.place}: holds {written!r:.60} for a calibration. Remove it: numpyclip index --no-calibration."
        ) from None
    is_own = found.text_model == model.fingerprint.text_model and found.is_comparable(model.fingerprint)
    return Calibration(*numbers) if is_own else Calibration()


def store_calibration(store: Store, model: EmbeddingModel, calibration: Calibration) -> None:
    """Record a calibration, in place of the one before."""
    values = {"fingerprint": asdict(model.fingerprint), **asdict(calibration)}
    with store.writing(shared=True):
        store.set_calibration(json.dumps(values))


def is_calibrated(store: Store) -> bool:
    """Tell whether an index records a calibration, of whatever model."""
    return store.calibration() != _NONE


def remove_calibration(store: Store) -> bool:
    """Go back to the default calibration; False if there was no other one."""
    found = is_calibrated(store)
    if found:
        with store.writing(shared=True):
            store.set_calibration(_NONE)
    return found
