"""EMBEDDINGS → ANSWERS: classify, tag, caption, ask, filter, find duplicates, learn, explain, evaluate."""

from numpyclip.lazy_exports import lazy_exports

TYPE_CHECKING = False  # true for type checkers; see `lazy_exports`
if TYPE_CHECKING:
    from numpyclip.tasks.aesthetic import AestheticPredictor as AestheticPredictor
    from numpyclip.tasks.answers import Answerer as Answerer
    from numpyclip.tasks.answers import ask as ask
    from numpyclip.tasks.background import Background as Background
    from numpyclip.tasks.captions import Captioner as Captioner
    from numpyclip.tasks.captions import caption as caption
    from numpyclip.tasks.duplicates import find_duplicates as find_duplicates
    from numpyclip.tasks.evaluation.datasets.open_dataset import open_dataset as open_dataset
    from numpyclip.tasks.evaluation.evaluate import evaluate as evaluate
    from numpyclip.tasks.explanations import best_views as best_views
    from numpyclip.tasks.explanations import explain as explain
    from numpyclip.tasks.filter import Filter as Filter
    from numpyclip.tasks.filter import filter_pictures as filter_pictures
    from numpyclip.tasks.learning.examples import Examples as Examples
    from numpyclip.tasks.learning.files import read_probe as read_probe
    from numpyclip.tasks.learning.files import save_probe as save_probe
    from numpyclip.tasks.learning.learn import Accuracy as Accuracy
    from numpyclip.tasks.learning.learn import Recipe as Recipe
    from numpyclip.tasks.learning.learn import cross_validate as cross_validate
    from numpyclip.tasks.learning.learn import learn as learn
    from numpyclip.tasks.learning.probe import Probe as Probe
    from numpyclip.tasks.query import Query as Query
    from numpyclip.tasks.tags import Tagger as Tagger
    from numpyclip.tasks.tags import tag as tag
    from numpyclip.tasks.zero_shot import ZeroShotClassifier as ZeroShotClassifier

_MODULES = {
    "Accuracy": "learning.learn",
    "AestheticPredictor": "aesthetic",
    "Answerer": "answers",
    "Background": "background",
    "Captioner": "captions",
    "Examples": "learning.examples",
    "Filter": "filter",
    "Probe": "learning.probe",
    "Query": "query",
    "Recipe": "learning.learn",
    "Tagger": "tags",
    "ZeroShotClassifier": "zero_shot",
    "ask": "answers",
    "caption": "captions",
    "cross_validate": "learning.learn",
    "evaluate": "evaluation.evaluate",
    "best_views": "explanations",
    "explain": "explanations",
    "filter_pictures": "filter",
    "find_duplicates": "duplicates",
    "learn": "learning.learn",
    "open_dataset": "evaluation.datasets.open_dataset",
    "read_probe": "learning.files",
    "save_probe": "learning.files",
    "tag": "tags",
}

__all__ = sorted(_MODULES)

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_exports(__name__, __all__, _MODULES)
