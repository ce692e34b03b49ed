"""Which function writes a part, and that none is taken for another's."""

import subprocess
import sys

import pytest

from numpyclip.errors import InputError
from numpyclip.graph.builder import Graph, Value
from numpyclip.graph.visitors import visit, visits
from numpyclip.model.captioning.decoder import Decoder


class Part:
    pass


class Variant(Part):
    pass


@visits(Part)
def add_part(part: Part, g: Graph, x: Value, twice: bool = False) -> Value:
    return g.op("Add", x, x, name="Twice" if twice else None)


def test_inputs_and_options_reach_the_function_of_the_class() -> None:
    assert visit(Part(), Graph().at("visual"), "x", twice=True) == "visual.Twice"


def test_a_subclass_is_not_taken_for_its_parent_and_refused_by_name() -> None:
    with pytest.raises(InputError, match=r"^visual\.stem: Variant cannot be written as an ONNX graph\. Compute this"):
        visit(Variant(), Graph().at("visual.stem"), "x")


def test_a_part_of_a_folder_without_graphs_is_refused_by_name() -> None:
    with pytest.raises(InputError, match=r"^decoder: Decoder cannot be written"):
        visit(object.__new__(Decoder), Graph().at("decoder"), "x")


def test_without_onnx_a_message_says_which_extra_has_it() -> None:
    program = "import sys; sys.modules['onnx'] = None; import numpyclip.graph"
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    expected = 'MissingPackageError: ONNX graphs need the package onnx: pip install "numpyclip[onnx]"'
    assert found.stderr.splitlines()[-1].endswith(expected)
