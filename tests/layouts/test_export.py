"""`numpyclip.export`: its arguments, and a folder that is whole or not there."""

import errno
import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import numpyclip
from numpyclip.dual_encoder.clip import CLIP
from numpyclip.dual_encoder.fingerprint import Fingerprint
from numpyclip.errors import CheckpointError, InputError, NumPyCLIPError
from numpyclip.layouts.export import LAYOUTS
from numpyclip.runtime.lazy import Lazy
from tests.families.test_parity import FAMILIES

onnx = pytest.importorskip("onnx")

SIZES = {"float32": 4, "float16": 2, "bfloat16": 2, "int8": 1}  # bytes of a weight


def content(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("precision", SIZES)
def test_every_layout_in_every_precision_that_it_has(model: CLIP, tmp_path: Path, layout: Any, precision: Any) -> None:
    if precision == "bfloat16" and layout != "open":
        with pytest.raises(InputError, match=f"layout='{layout}': precision is 'bfloat16'; expected float32"):
            numpyclip.export(model, tmp_path / "new", layout=layout, precision=precision)
        assert list(tmp_path.iterdir()) == []
        return
    folder = numpyclip.export(model, tmp_path / "new", layout=layout, precision=precision)
    graphs = sorted(folder.rglob("*.onnx"))
    assert len(graphs) == 2
    weights = 49408 * 64 + 77 * 64 + 12 * 64**2 + 64 * 32
    (texts,) = (path for path in graphs if "text" in path.relative_to(folder).as_posix())
    assert texts.stat().st_size == pytest.approx(SIZES[precision] * weights, rel=0.1)
    for path in graphs:
        onnx.checker.check_model(path, full_check=True)


def test_a_model_is_loaded_by_name(weights: Path, model: CLIP, tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="the activation is not recorded"):
        folder = numpyclip.export(weights, tmp_path / "new")
    assert content(folder) == content(numpyclip.export(model, tmp_path / "other"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layout": "openvino"}, "layout is 'openvino'; expected 'open' or 'immich' or 'transformers.js'"),
        ({"precision": "fp16"}, "precision is 'fp16'; expected 'float32', 'bfloat16', 'float16', 'int8'"),
    ],
)
def test_arguments_are_checked(model: CLIP, tmp_path: Path, options: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        numpyclip.export(model, tmp_path / "new", **options)


@pytest.mark.parametrize(("layout", "graph"), [("open", "image.onnx"), ("transformers.js", "onnx/vision_model.onnx")])
def test_without_a_tokenizer_images_are_exported(tmp_path: Path, layout: Any, graph: str) -> None:
    name = FAMILIES / "transformers-clip"
    with pytest.warns(UserWarning, match=r"has no tokenizer.* Only texts need it\. Images alone are exported"):
        folder = numpyclip.export(name, tmp_path / "new", layout=layout)
    assert [path.relative_to(folder).as_posix() for path in folder.rglob("*.onnx")] == [graph]
    if layout == "open":
        recorded = json.loads((folder / "numpyclip.json").read_text())["fingerprint"]
        assert Fingerprint(**recorded) == numpyclip.load(name)[0].fingerprint
    with pytest.raises(CheckpointError, match="has no tokenizer"):
        numpyclip.export(name, tmp_path / "other", layout="immich")


def test_a_full_disk_is_told_with_the_name_that_was_asked_for(
    model: CLIP, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("numpyclip.graph.weight_file.WeightFile.add", full)
    with pytest.raises(
        NumPyCLIPError, match=rf"^{re.escape(str(tmp_path / 'new'))}.text\.onnx_data: cannot be written"
    ):
        numpyclip.export(model, tmp_path / "new")
    assert list(tmp_path.iterdir()) == []


def test_without_onnx_a_message_says_what_to_install(tmp_path: Path) -> None:
    program = f"""
import sys
sys.modules["onnx"] = None
import numpyclip
try:
    numpyclip.export("tiny", {str(tmp_path / "new")!r})
except numpyclip.MissingPackageError as error:
    print(error)
"""
    out = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert out.endswith(': pip install "numpyclip[onnx]"\n')
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_is_replaced_only_if_told_to_and_only_an_export(model: CLIP, tmp_path: Path) -> None:
    folder = numpyclip.export(model, tmp_path / "new", layout="immich")
    before = content(folder)
    with pytest.raises(InputError, match=r"new: is there already; .*overwrite=True \(--force\)"):
        numpyclip.export(model, folder, layout="immich")
    (folder / "visual" / "thesis.tex").write_text("years of work")
    with pytest.raises(
        InputError, match=r"holds 'visual/thesis\.tex', which is no part of an export of the layout 'immich'"
    ):
        numpyclip.export(model, folder, layout="immich", overwrite=True)
    (folder / "visual" / "thesis.tex").unlink()
    assert content(folder) == before
    numpyclip.export(model, folder, layout="immich", precision="float16", overwrite=True)
    assert content(folder)["visual/model.onnx"] != before["visual/model.onnx"]
    with pytest.raises(InputError, match=r"holds '.*', which is no part of an export of the layout 'open'"):
        numpyclip.export(model, folder, layout="open", overwrite=True)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_full_disk_leaves_nothing(model: CLIP, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layout: Any) -> None:
    written = []

    def fail(descriptor: int) -> None:
        written.append(descriptor)
        if len(written) == 3:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(NumPyCLIPError, match=r"new: cannot be written \(No space left on device\)"):
        numpyclip.export(model, tmp_path / "new", layout=layout)
    assert list(tmp_path.iterdir()) == []


def test_truncated_embeddings_are_those_of_the_graph(weights: Path, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    with pytest.warns(UserWarning, match="truncate_dim"):
        short, _ = numpyclip.load(weights, activation="quick_gelu", truncate_dim=8)
    folder = numpyclip.export(short, tmp_path / "new")
    ids = short.tokenize("a dog").astype(np.int64)
    (embeddings,) = onnxruntime.InferenceSession(str(folder / "text.onnx")).run(None, {"input_ids": ids})
    np.testing.assert_allclose(embeddings, short.encode_text(ids), atol=1e-5)


def test_the_description_has_no_path_of_this_machine(model: CLIP, weights: Path, tmp_path: Path) -> None:
    assert model.checkpoint is not None
    description = (numpyclip.export(model, tmp_path / "new") / "numpyclip.json").read_text()
    assert json.loads(description)["source"] == "random.npz"
    assert str(weights.parent) not in description


def test_weights_are_streamed_and_no_tower_is_prepared(model: CLIP, tmp_path: Path) -> None:
    never: Lazy[Any] = Lazy(lambda: pytest.fail("prepared"))
    folder = numpyclip.export(replace(model, _visual=never, _text=never), tmp_path / "new")
    pickled = numpyclip.export(replace(model, checkpoint=None), tmp_path / "other")
    for graph in ("image.onnx", "text.onnx"):
        assert (folder / graph).read_bytes() == (pickled / graph).read_bytes()
