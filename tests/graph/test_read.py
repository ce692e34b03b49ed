"""Untrusted graphs: their weights are in the file beside them, and in no other."""

import io
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import numpyclip
from numpyclip.errors import CheckpointError
from numpyclip.graph import read_graph, stream_graph, text_graph
from numpyclip.graph.weight_file import WeightFile
from numpyclip.model.config import CLIPConfig
from tests.families.test_parity import FAMILIES


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, CLIPConfig]:
    """A graph with external data, alone in its folder, and the config of its model."""
    model, _ = numpyclip.load(FAMILIES / "transformers-clip")
    path = tmp_path_factory.mktemp("exported") / "text.onnx"
    stream_graph(lambda weights: text_graph(model, weights=weights), path)
    return path, model.config


@pytest.fixture
def folder(exported: tuple[Path, CLIPConfig], tmp_path: Path) -> Path:
    """A copy to change."""
    return Path(shutil.copytree(exported[0].parent, tmp_path / "folder"))


def read(folder: Path, config: CLIPConfig) -> bytes:
    """Read the graph, and return the weights that are moved."""
    with io.BytesIO() as file:
        read_graph(folder / "text.onnx", "input_ids", config, WeightFile(file, "weights"))
        return file.getvalue()


def changed(path: Path, change: Callable[[Any], None]) -> None:
    model = onnx.load(path, load_external_data=False)
    change(model)
    path.write_bytes(model.SerializeToString())


def refer(folder: Path, **entries: object) -> None:
    """Have the first external weight refer to something else."""

    def change(model: Any) -> None:
        tensor = next(each for each in model.graph.initializer if each.external_data)
        for entry in tensor.external_data:
            entry.value = str(entries.get(entry.key, entry.value))

    changed(folder / "text.onnx", change)


def test_weights_are_read_from_the_file_beside(exported: tuple[Path, CLIPConfig], folder: Path) -> None:
    assert read(folder, exported[1]) == (folder / "text.onnx_data").read_bytes()


@pytest.mark.parametrize("location", ["../secret", "/etc/hostname", "secret", "", "./text.onnx_data"])
def test_weights_in_any_other_file_are_refused(exported: tuple[Path, CLIPConfig], folder: Path, location: str) -> None:
    for secret in (folder / "secret", folder.parent / "secret"):
        secret.write_bytes(bytes(2**20))
    refer(folder, location=location)
    with pytest.raises(CheckpointError, match=r"in the file '.*'; expected text\.onnx_data, in one folder"):
        read(folder, exported[1])


@pytest.mark.parametrize(
    ("entries", "reason"),
    [
        ({"offset": -8}, "too short"),
        ({"length": -8}, "too short"),
        ({"length": 10**13}, "too short"),
        ({"offset": 10**13}, "too short"),
        ({"offset": "here"}, "invalid literal"),
    ],
)
def test_weights_beyond_the_file_are_refused(
    exported: tuple[Path, CLIPConfig], folder: Path, entries: dict[str, object], reason: str
) -> None:
    refer(folder, **entries)
    with pytest.raises(CheckpointError, match=rf"text\.onnx: has '.*' in the file 'text.onnx_data', which .*{reason}"):
        read(folder, exported[1])


@pytest.mark.parametrize("name", ["token_embedding.weight", "text_projection.bias"])
@pytest.mark.parametrize("part", [0, 0.5])
def test_weights_without_all_their_data_are_refused(
    exported: tuple[Path, CLIPConfig], folder: Path, name: str, part: float
) -> None:
    """OpenVINO would compute with whatever is behind them in memory."""
    whole = onnx.load(folder / "text.onnx")

    def shorten(model: Any) -> None:
        model.CopyFrom(whole)
        tensor = next(each for each in model.graph.initializer if each.name == name)
        tensor.raw_data = tensor.raw_data[: int(part * len(tensor.raw_data))]

    changed(folder / "text.onnx", shorten)
    with pytest.raises(CheckpointError, match=rf"text\.onnx: '{name}' has [0-9]+ bytes; expected those of its type"):
        read(folder, exported[1])


def test_a_file_that_is_missing_or_none_is_refused(exported: tuple[Path, CLIPConfig], folder: Path) -> None:
    (folder / "text.onnx_data").unlink()
    with pytest.raises(CheckpointError, match="cannot be read \\(No such file"):
        read(folder, exported[1])
    if hasattr(os, "mkfifo"):
        os.mkfifo(folder / "text.onnx_data")  # would be waited for
        with pytest.raises(CheckpointError, match="cannot be read \\(it is a named pipe"):
            read(folder, exported[1])


def test_links_are_followed_together(exported: tuple[Path, CLIPConfig], folder: Path, tmp_path: Path) -> None:
    """As Hugging Face's cache has them: names are links to files in one folder. A link elsewhere is refused."""
    snapshot, weights = tmp_path / "snapshot", folder / "text.onnx_data"
    snapshot.mkdir()
    expected = weights.read_bytes()
    for number, name in enumerate(("text.onnx", weights.name)):
        (folder / name).rename(folder / str(number))
        (snapshot / name).symlink_to(folder / str(number))
    assert read(snapshot, exported[1]) == expected
    secret = tmp_path / "secret"
    secret.write_bytes(expected)
    (snapshot / weights.name).unlink()
    (snapshot / weights.name).symlink_to(secret)
    with pytest.raises(CheckpointError, match="in one folder with the graph"):
        read(snapshot, exported[1])


def test_external_data_of_a_node_is_refused(exported: tuple[Path, CLIPConfig], folder: Path) -> None:
    def change(model: Any) -> None:
        value = onnx.helper.make_tensor("value", onnx.TensorProto.FLOAT, [1], np.zeros(1, np.float32))
        value.data_location = onnx.TensorProto.EXTERNAL
        model.graph.node.append(onnx.helper.make_node("Constant", [], ["secret"], value=value))

    changed(folder / "text.onnx", change)
    with pytest.raises(CheckpointError, match="a node has external data"):
        read(folder, exported[1])


def test_an_empty_file_is_no_graph(exported: tuple[Path, CLIPConfig], folder: Path) -> None:
    (folder / "text.onnx").write_bytes(b"")
    with pytest.raises(CheckpointError, match="has inputs none and outputs none; expected input_ids"):
        read(folder, exported[1])
