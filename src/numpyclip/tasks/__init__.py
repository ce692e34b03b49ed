"""EMBEDDINGS → ANSWERS: classify, tag, caption, ask, filter, find duplicates, learn, explain, evaluate."""

from numpyclip.lazy_exports import lazy_exports

TYPE_CHECKING = False  # true for type checkers; see `lazy_exports`
if TYPE_CHECKING:
    from numpyclip.tasks.aesthetic import AestheticPredictor
    from numpyclip.tasks.answers import ask
    from numpyclip.tasks.background import Background
    from numpyclip.tasks.captions import caption
    from numpyclip.tasks.duplicates import find_duplicates
    from numpyclip.tasks.evaluation.datasets.open_dataset import open_dataset
    from numpyclip.tasks.evaluation.evaluate import evaluate
    from numpyclip.tasks.explanations import explain
    from numpyclip.tasks.filter import filter_pictures
    from numpyclip.tasks.learning.examples import Examples
    from numpyclip.tasks.learning.files import read_probe, save_probe
    from numpyclip.tasks.learning.learn import Accuracy, Recipe, cross_validate, learn
    from numpyclip.tasks.learning.probe import Probe
    from numpyclip.tasks.query import Query
    from numpyclip.tasks.tags import tag
    from numpyclip.tasks.zero_shot import ZeroShotClassifier

__all__ = [
    "Accuracy",
    "AestheticPredictor",
    "Background",
    "Examples",
    "Probe",
    "Query",
    "Recipe",
    "ZeroShotClassifier",
    "ask",
    "caption",
    "cross_validate",
    "evaluate",
    "explain",
    "filter_pictures",
    "find_duplicates",
    "learn",
    "open_dataset",
    "read_probe",
    "save_probe",
    "tag",
]

_MODULES = {
    "Accuracy": "learning.learn",
    "AestheticPredictor": "aesthetic",
    "Background": "background",
    "Examples": "learning.examples",
    "Probe": "learning.probe",
    "Query": "query",
    "Recipe": "learning.learn",
    "ZeroShotClassifier": "zero_shot",
    "ask": "answers",
    "caption": "captions",
    "cross_validate": "learning.learn",
    "evaluate": "evaluation.evaluate",
    "explain": "explanations",
    "filter_pictures": "filter",
    "find_duplicates": "duplicates",
    "learn": "learning.learn",
    "open_dataset": "evaluation.datasets.open_dataset",
    "read_probe": "learning.files",
    "save_probe": "learning.files",
    "tag": "tags",
}

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_exports(__name__, __all__, _MODULES)
