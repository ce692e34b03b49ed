"""The plugin of `llm`: its commands embed texts and images, with one name for a model at all times."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from numpyclip.dual_encoder.clip import CLIP
from numpyclip.errors import NumPyCLIPError, PictureError

pytest.importorskip("llm", reason="the plugin needs llm")

import llm
from click.testing import CliRunner
from llm.cli import cli
from llm.plugins import load_plugins, pm

from numpyclip.integrations import llm as plugin

ROOT = Path(__file__).parents[2]
Run = Callable[..., str]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    """Run a command of `llm`, whose own settings are in the test's folder."""
    monkeypatch.setenv("LLM_USER_PATH", str(tmp_path))
    monkeypatch.setenv("LLM_LOAD_PLUGINS", "")  # no others
    load_plugins()
    is_here = pm.is_registered(plugin)
    if not is_here:
        pm.register(plugin)

    def run(*arguments: object, stdin: str | None = None, status: int = 0) -> str:
        result = CliRunner().invoke(cli, [*map(str, arguments)], input=stdin)
        assert result.exit_code == status, (result.output, result.exception)
        assert isinstance(result.exception, SystemExit | None), result.exception
        return str(result.output)

    yield run
    if not is_here:
        pm.unregister(plugin)


@pytest.fixture
def clip_is_tiny(run: Run, tmp_path: Path) -> None:
    (tmp_path / "numpyclip.json").write_text('{"clip": "tiny"}')


@pytest.mark.usefixtures("clip_is_tiny")
def test_texts_and_images_are_embedded(run: Run, tiny: CLIP, bird: Path) -> None:
    text = json.loads(run("embed", "-m", "clip", "-c", "a bird"))
    image = json.loads(run("embed", "-m", "clip", "--binary", "-i", bird))
    np.testing.assert_allclose(text, tiny.embed_texts(["a bird"])[0], atol=1e-6)
    np.testing.assert_allclose(image, tiny.embed_images([bird])[0], atol=1e-6)


@pytest.mark.usefixtures("clip_is_tiny")
def test_a_text_that_is_too_long_is_truncated_as_by_llm_clip(run: Run, tiny: CLIP) -> None:
    found = json.loads(run("embed", "-m", "clip", "-c", "dog " * 100))
    np.testing.assert_allclose(found, tiny.embed_texts(["dog " * 100], truncate=True)[0], atol=1e-6)


@pytest.mark.usefixtures("clip_is_tiny")
def test_a_folder_of_images_is_searched_by_text(run: Run, emoji: dict[str, Any], tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    names = ["bird", *[name for name in emoji if name != "bird"][:4]]
    for number, name in enumerate(names):
        emoji[name].save(folder / f"{number}.png")
    run("embed-multi", "images", "--files", folder, "*.png", "--binary", "-m", "clip")
    best = json.loads(run("similar", "images", "-c", "a bird", "-n", 1))
    assert best["id"] == "0.png"
    others = run("similar", "images", "0.png", "-n", 4)
    assert sorted(json.loads(line)["id"] for line in others.splitlines()) == ["1.png", "2.png", "3.png", "4.png"]


@pytest.mark.usefixtures("clip_is_tiny")
def test_a_file_that_is_no_image_is_an_error_in_one_line(run: Run, tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("no image")
    result = run("embed", "-m", "clip", "--binary", "-i", tmp_path / "text.png", status=1)
    assert re.fullmatch(r"Error: an image of 8 bytes: .*\n", result)


@pytest.mark.usefixtures("clip_is_tiny")
def test_in_python_it_is_an_error_of_numpyclip() -> None:
    with pytest.raises(NumPyCLIPError, match="an image of 1 bytes") as raised:
        llm.get_embedding_model("clip").embed(b"x")
    assert isinstance(raised.value.__cause__, PictureError)


def test_wrong_options_of_a_name_are_an_error_in_one_line(run: Run, tmp_path: Path) -> None:
    named = {"short": {"model": "tiny", "load_options": {"activation": ["gelu"]}}}
    (tmp_path / "numpyclip.json").write_text(json.dumps(named))
    result = run("embed", "-m", "short", "-c", "a bird", status=1)
    assert re.fullmatch(r"Error: load_options is .*\n", result)


def test_models_are_registered_by_name_without_being_loaded(run: Run) -> None:
    listed = run("embed-models")
    for name in ("clip", "clip/tiny", "clip/ViT-L/14@336px"):
        assert f"CLIPEmbeddingModel: {name}\n" in listed
    assert llm.get_embedding_model("clip")._model == "ViT-B/32"  # whatever $NUMPYCLIP_MODEL is


def test_the_users_own_names_have_options(run: Run, tmp_path: Path) -> None:
    named = {"short": {"model": "tiny", "load_options": {"truncate_dim": 8}}}
    (tmp_path / "numpyclip.json").write_text(json.dumps(named))
    with pytest.warns(UserWarning, match="truncate"):
        assert len(json.loads(run("embed", "-m", "short", "-c", "a bird"))) == 8
    assert "CLIPEmbeddingModel: clip\n" in run("embed-models")


@pytest.mark.parametrize("settings", ["{", "[1]", "3", '{"a": 3}', '{"a": {"modle": "tiny"}}', '{"a": {}}', "\udcff"])
def test_wrong_settings_are_ignored_with_a_message(run: Run, tmp_path: Path, settings: str) -> None:
    (tmp_path / "numpyclip.json").write_text(settings, "utf-8", "surrogateescape")
    found = run("embed-models")
    assert re.search(r"numpyclip\.json: is ignored \(.+\); expected \{\"NAME\": \"MODEL\"\}", found)
    assert "CLIPEmbeddingModel: clip\n" in found


def test_the_plugin_imports_neither_numpy_nor_pillow() -> None:
    code = (
        "import llm, sys; before = set(sys.modules); import numpyclip.integrations.llm\n"
        "print(*set(sys.modules) - before)"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "numpyclip.integrations.llm" in loaded
    assert not [name for name in loaded if name.partition(".")[0] in ("numpy", "PIL")]


def test_the_package_names_the_plugin() -> None:
    entries = (ROOT / "pyproject.toml").read_text("utf-8").partition("[project.entry-points.llm]\n")[2]
    assert entries.startswith(f'numpyclip = "{plugin.__name__}"\n')
