"""Graphs in one file or two, as ONNX Runtime reads them."""

from pathlib import Path

import numpy as np
import onnx
import pytest

import numpyclip
from numpyclip.errors import InputError, NumPyCLIPError
from numpyclip.graph import image_graph, stream_graph, text_graph, write_graph
from numpyclip.graph.weight_file import WeightFile
from tests.families.test_parity import FAMILIES, load
from tests.graph.runtime import run


@pytest.mark.parametrize(("most_bytes", "files"), [(2**30, ["model.onnx"]), (0, ["model.onnx", "model.onnx_data"])])
def test_a_runtime_reads_what_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most_bytes: int, files: list[str]
) -> None:
    monkeypatch.setattr("numpyclip.graph.write._MOST_BYTES", most_bytes)
    clip, golden = load("transformers-clip")
    path = tmp_path / "new" / "model.onnx"
    is_external = write_graph(lambda weights: text_graph(clip, weights=weights), path)
    assert is_external is (len(files) == 2)
    assert sorted(file.name for file in path.parent.iterdir()) == files
    onnx.checker.check_model(path, full_check=True)
    ids = golden["text"].astype(np.int64)
    assert np.array_equal(run(path, ids), run(text_graph(clip), ids))


def test_only_large_weights_are_external_data_and_each_begins_at_a_page(tmp_path: Path) -> None:
    clip, _ = load("transformers-clip")
    model = text_graph(clip)
    stream_graph(lambda weights: text_graph(clip, weights=weights), tmp_path / "model.onnx")
    read = onnx.load(tmp_path / "model.onnx", load_external_data=False)
    moved = {tensor.name: tensor.external_data for tensor in read.graph.initializer if tensor.external_data}
    large = {tensor.name for tensor in model.graph.initializer if len(tensor.raw_data) >= 1024}
    assert moved.keys() == large != set()
    assert all(int(entry.value) % 4096 == 0 for data in moved.values() for entry in data if entry.key == "offset")


def test_weights_are_streamed_from_a_model_with_low_memory(tmp_path: Path) -> None:
    clip, _ = numpyclip.load(FAMILIES / "transformers-clip", low_memory=True)
    stream_graph(lambda weights: image_graph(clip, precision="int8", weights=weights), tmp_path / "model.onnx")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["model.onnx", "model.onnx_data"]
    pixels = np.random.default_rng(0).integers(0, 256, (2, *clip.preprocess.sides, 3), np.uint8)
    assert np.array_equal(run(tmp_path / "model.onnx", pixels), run(image_graph(clip, precision="int8"), pixels))


def test_after_an_error_there_is_neither_file(tmp_path: Path) -> None:
    def make(weights: WeightFile) -> onnx.ModelProto:
        image_graph(load("transformers-clip")[0], weights=weights)
        raise InputError("refused")

    with pytest.raises(InputError, match="refused"):
        stream_graph(make, tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_missing_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    clip, _ = load("transformers-clip")
    with pytest.raises(NumPyCLIPError, match=r"model\.onnx_data: cannot be written"):
        stream_graph(lambda weights: text_graph(clip, weights=weights), tmp_path / "missing" / "model.onnx")
