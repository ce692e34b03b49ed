"""EMBEDDINGS → ANSWERS: classify, tag, caption, ask, filter, find duplicates, learn, look."""

from numpyclip.tasks.aesthetic import AestheticPredictor
from numpyclip.tasks.learning.examples import Examples
from numpyclip.tasks.learning.files import read_probe, save_probe
from numpyclip.tasks.learning.learn import Accuracy, Recipe, cross_validate, learn
from numpyclip.tasks.learning.probe import Probe

__all__ = [
    "Accuracy",
    "AestheticPredictor",
    "Examples",
    "Probe",
    "Recipe",
    "cross_validate",
    "learn",
    "read_probe",
    "save_probe",
]
