"""`numpyclip evaluate`: measure how often a model is right about a dataset."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpyclip.cli.labels import add_label_options, classifier_from, output_file
from numpyclip.cli.options import add_model_options, add_orientation_option, add_verb, load_model, model_name
from numpyclip.errors import InputError, NumPyCLIPError
from numpyclip.cli.outputs import tell

if TYPE_CHECKING:
    from numpyclip.tasks.evaluation.evaluate import Evaluation

