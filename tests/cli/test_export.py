import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run
from tests.random_clip import write_random_clip

pytest.importorskip("onnx")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_random_clip(tmp_path_factory.mktemp("weights") / "random.npz")


def test_the_files_are_listed(run: Run, weights: Path, tmp_path: Path) -> None:
    folder = tmp_path / "new"
    status, out, err = run("export", weights, folder, "--activation", "quick_gelu")
    assert (status, err) == (0, "")
    sizes = {name: (folder / name).stat().st_size for name in ("image.onnx", "numpyclip.json", "text.onnx")}
    assert out == "".join(f"{size / 1e6:.1f} MB\t{name}\n" for name, size in sizes.items())


def test_json_is_one_object(run: Run, weights: Path, tmp_path: Path) -> None:
    folder = tmp_path / "web"
    words = ["--layout", "transformers.js", "--precision", "int8", "--activation", "quick_gelu", "--json"]
    status, out, err = run("export", weights, folder, *words)
    assert (status, err) == (0, "")
    facts = json.loads(out)
    assert (facts["source"], facts["path"]) == (str(weights), str(folder))
    assert (facts["layout"], facts["precision"]) == ("transformers.js", "int8")
    assert (
        facts["files"]["onnx/text_model_quantized.onnx"]
        == (folder / "onnx" / "text_model_quantized.onnx").stat().st_size
    )


@pytest.mark.filterwarnings("default")
def test_options_of_the_model_are_those_of_other_commands(run: Run, weights: Path, tmp_path: Path) -> None:
    status, _, err = run("export", weights, tmp_path / "new", "--truncate-dim", "8", "--activation", "gelu")
    assert status == 0
    assert "truncate_dim makes its results worse" in err
    config = json.loads((tmp_path / "new" / "numpyclip.json").read_text())["config"]
    assert (config["embed_dim"], config["full_dim"], config["text"]["activation"]) == (8, 32, "gelu")


def test_a_folder_that_is_there_is_kept_unless_forced(run: Run, weights: Path, tmp_path: Path) -> None:
    words = ["export", weights, tmp_path / "new", "--activation", "quick_gelu"]
    assert run(*words).status == 0
    status, out, err = run(*words)
    assert (status, out) == (2, "")
    assert "is there already" in err
    assert run(*words, "--force").status == 0


@pytest.mark.parametrize("words", [[], ["tiny"], ["tiny", "new", "third"]])
def test_two_names_are_expected(run: Run, words: list[str]) -> None:
    status, out, err = run("export", *words)
    assert (status, out) == (2, "")
    assert f"got {len(words)} names; expected two: the model, and the folder to write" in err


def test_unknown_layouts_are_refused_with_what_is_meant(run: Run) -> None:
    status, _, err = run("export", "tiny", "new", "--layout", "transformers")
    assert status == 2
    assert "did you mean transformers.js?" in err


def test_a_precision_that_a_layout_has_not_is_a_wrong_argument(run: Run, tmp_path: Path) -> None:
    status, out, err = run("export", "tiny", tmp_path / "new", "--layout", "immich", "--precision", "bfloat16")
    assert (status, out) == (2, "")
    assert "layout='immich': precision is 'bfloat16'; expected float32 or float16 or int8. The layout 'open'" in err
    assert list(tmp_path.iterdir()) == []
