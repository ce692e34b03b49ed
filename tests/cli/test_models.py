import hashlib
import json
from pathlib import Path
from typing import NoReturn

import pytest

from numpyclip.cli import model_files, published_models, verification
from numpyclip.errors import DownloadError
from numpyclip.families import locate
from numpyclip.families.locate import find_architecture, is_supported
from numpyclip.families.repository_files import ModelFiles
from numpyclip.weights.catalogue import DOWNLOADABLE, KnownModel
from numpyclip.weights.published import architectures
from tests.cli.conftest import Run
from tests.weights.hub_server import using

CONTENT = b"not really weights"
MEASURED = ("relative_images_per_second", "relative_texts_per_second", "memory_megabytes", "speed_extrapolated")
COLUMNS = (  # of the table; the fact; how it is written
    ("px", "image_size", "d"),
    ("MB", "megabytes", "d"),
    ("IN1k", "imagenet_top1", ".1f"),
    ("COCO", "coco_image_recall_at_1", ".1f"),
    ("rate", "relative_images_per_second", ".2f"),
)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> KnownModel:
    """A model that is known and a few bytes long."""
    model = KnownModel("small", "small.pt", hashlib.sha256(CONTENT).hexdigest(), ("http://127.0.0.1:1/small.pt",))
    for module in (model_files, verification, locate):
        monkeypatch.setattr(module, "DOWNLOADABLE", {**DOWNLOADABLE, "small": model})
    return model


def test_list_names_every_model_and_where_it_lies(run: Run, tmp_path: Path) -> None:
    (tmp_path / "RN50.pt").write_bytes(b"x")
    status, out, err = run("models", "--download-root", tmp_path, "--json")
    assert (status, err) == (0, "")
    rows = {row["model"]: row for row in map(json.loads, out.splitlines())}
    assert list(rows) == [*DOWNLOADABLE, "tiny"]
    assert rows["RN50"] == {"model": "RN50", "state": "unverified", "path": str(tmp_path / "RN50.pt")}
    assert rows["RN101"]["state"] == "not downloaded"
    assert Path(rows["tiny"]["path"]).is_file()
    assert run("models", "--download-root", tmp_path).out.count("\n") == 10


def test_list_names_copies_of_openais_models(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locate, "find_file", lambda name, _: tmp_path / "x" if name == "RN50" else None)
    rows = {row["model"]: row for row in map(json.loads, run("models", "--json").out.splitlines())}
    assert rows["RN50"] == {"model": "RN50", "state": "downloaded", "path": str(tmp_path / "x")}
    assert rows["RN101"]["state"] == "not downloaded"


def test_verify_tells_sound_from_damaged_files(run: Run, small: KnownModel, tmp_path: Path) -> None:
    (tmp_path / "small.pt").write_bytes(CONTENT)
    status, out, _ = run("models", "verify", "--download-root", tmp_path)
    assert status == 0
    assert out.split() == ["small", "verified", str(tmp_path / "small.pt")]
    (tmp_path / "small.pt").write_bytes(CONTENT[:-1])
    status, out, _ = run("models", "verify", "--download-root", tmp_path)
    assert status == 1
    assert out.split()[1] == "damaged"
    (tmp_path / "small.pt").unlink()
    status, out, err = run("models", "verify", "--download-root", tmp_path)
    assert (status, out) == (1, "")
    assert err == (
        f"numpyclip: none of the known models is in {tmp_path}; `numpyclip models download ViT-B/32` fetches one.\n"
    )
    assert run("models", "verify", "small", "--download-root", tmp_path).status == 2


def test_a_file_in_its_usual_folder_is_listed_and_verified(
    run: Run, small: KnownModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CLIP_DIR", str(tmp_path))
    (tmp_path / "small.pt").write_bytes(CONTENT)
    elsewhere = ("--download-root", tmp_path / "other")
    assert model_files.state_of("small", str(tmp_path / "other")) == ("unverified", tmp_path / "small.pt")
    assert run("models", "verify", "small", *elsewhere).out.split() == ["small", "verified", str(tmp_path / "small.pt")]


def test_a_file_that_cannot_be_read_is_listed(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "RN50.pt").write_bytes(b"x")

    def refuse(file: Path, _: str) -> NoReturn:
        raise DownloadError(f"{file}: cannot be read (Permission denied).")

    monkeypatch.setattr("numpyclip.weights.local.is_stamped", refuse)
    status, out, err = run("models", "--download-root", tmp_path)
    assert (status, out.splitlines()[0].split(), err) == (0, ["RN50", "unreadable", str(tmp_path / "RN50.pt")], "")
    assert len(out.splitlines()) == 10


def test_what_fails_does_not_keep_others_from_being_verified(run: Run, small: KnownModel, tmp_path: Path) -> None:
    (tmp_path / "small.pt").write_bytes(CONTENT)
    with using({}, tmp_path / "home"):
        status, out, err = run("models", "verify", "hf-hub:no/such", "small", "--download-root", tmp_path)
    assert (status, out.split()[:2]) == (2, ["small", "verified"])
    assert "hf-hub:no/such" in err


def test_download_of_a_file_that_is_there_names_it(run: Run, small: KnownModel, tmp_path: Path) -> None:
    (tmp_path / "small.pt").write_bytes(CONTENT)
    status, out, _ = run("models", "download", "small", "--download-root", tmp_path)
    assert status == 0
    assert out.split() == ["small", "downloaded", str(tmp_path / "small.pt")]


def test_download_that_fails_says_why(run: Run, small: KnownModel, tmp_path: Path) -> None:
    status, out, err = run("models", "download", "small", "--download-root", tmp_path)
    assert (status, out) == (2, "")
    assert "http://127.0.0.1:1/small.pt" in err
    assert "\\n" not in err
    assert all(line.startswith("numpyclip: ") for line in err.splitlines())


@pytest.mark.parametrize("words", [["download"], ["verify", "big"], ["list", "big"]])
def test_names_that_cannot_be_had_are_an_error(run: Run, words: list[str]) -> None:
    result = run("models", *words)
    assert (result.status, result.out) == (2, "")
    assert "RN50" in result.err


def test_the_model_in_the_package_is_neither_downloaded_nor_verified(run: Run) -> None:
    for action in "download", "verify":
        status, out, err = run("models", action, "tiny")
        assert (status, out) == (2, "")
        assert "'tiny' is in the package" in err


@pytest.mark.usefixtures("own_cache")
def test_prepared_weights_are_listed_and_removed(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "prepared"
    folder.mkdir()
    (folder / f"{32 * 'a'}-visual-v1.safetensors").write_bytes(bytes(3 * 2**20))
    (folder / "notes.txt").write_text("not ours")
    listed = run("models", "cache")
    assert (listed.status, listed.out.split()[:3]) == (0, ["kept", "3", "MiB"])
    assert run("models", "cache", "--clear", "--json").out.startswith('{"state": "removed", "bytes": 3145728')
    assert [file.name for file in folder.iterdir()] == ["notes.txt"]
    assert run("models", "cache").out == ""


def test_cache_takes_no_names(run: Run) -> None:
    assert run("models", "cache", "ViT-B/32").status == 2


def test_clear_is_about_the_cache_only(run: Run) -> None:
    assert run("models", "verify", "--clear").status == 2


def test_all_lists_the_published_models_that_can_be_run(run: Run) -> None:
    status, out, err = run("models", "--all", "--json")
    assert status == 0
    rows = {(row["model"], row["pretrained"]): row for row in map(json.loads, out.splitlines())}
    assert rows["ViT-H-14", "dfn5b"] == {
        "model": "ViT-H-14",
        "pretrained": "dfn5b",
        "hub": "apple/DFN5B-CLIP-ViT-H-14",
        "licence": "Apple, research only",
        "megabytes": 3944,
        "parameters": 986.11,
        "image_size": 224,
        "context_length": 77,
        "multilingual": False,
        "imagenet_top1": 83.44,
        "coco_image_recall_at_1": 53.91,
        "coco_text_recall_at_1": 72.3,
        "xm3600_image_recall_at_1": 24.44,
        "accuracy_from": "OpenCLIP",
        **{key: rows["ViT-H-14", "dfn5b"][key] for key in MEASURED},
    }
    supported = sum(
        is_supported(find_architecture(name), model)
        for name in architectures()
        for model in find_architecture(name).models.values()
    )
    assert len(rows) == supported == 169
    assert "cannot be run here" not in err


def test_all_of_one_architecture_is_a_table(run: Run) -> None:
    status, out, err = run("models", "list", "ViT-L-14-336", "ViT-g-14", "--all")
    assert (status, err) == (0, "")
    header, first, second, third = (line.split() for line in out.splitlines())
    assert header == ["architecture", "tag", "px", "MB", "IN1k", "COCO", "rate", "license"]
    assert first[:6] == ["ViT-L-14-336", "openai", "336", "934", "76.6", "37.1"]
    assert (second[:2], third[:2]) == (["ViT-g-14", "laion2b_s12b_b42k"], ["ViT-g-14", "laion2b_s34b_b88k"])


def test_the_columns_of_the_table_stand_below_their_names(run: Run) -> None:
    header, *rows = run("models", "--all").out.splitlines()
    listed = [json.loads(line) for line in run("models", "--all", "--json").out.splitlines()]
    assert len(rows) == len(listed) == 169
    assert max(map(len, rows)) <= 100
    for row, facts in zip(rows, listed, strict=True):
        assert row.startswith(f"{facts['model']} ")
        assert row[header.index("tag") :].startswith(f"{facts['pretrained']} ")
        licence = {"Apple, research only": "research", None: "-"}.get(facts["licence"], facts["licence"])
        assert row[header.index("license") - 1 :] == f" {licence}"
        for name, key, how in COLUMNS:
            value = "-" if facts[key] is None else format(facts[key], how)
            assert row[: header.index(name) + len(name)].endswith(f" {value}")


def test_all_facts_of_one_architecture(run: Run) -> None:
    status, out, err = run("models", "list", "MobileCLIP-B", "RN50")
    lines = out.splitlines()
    assert (status, err, lines[0]) == (0, "", "MobileCLIP-B datacompdr")
    assert lines[2] == "  license      Apple, research only"
    assert "  ImageNet     76.82 % zero-shot accuracy" in lines
    assert "  COCO         50.6 % recall at 1 of images for a text" in lines
    assert "  COCO         68.8 % recall at 1 of texts for an image" in lines
    assert "  texts        77 tokens at most, English" in lines
    assert "MobileCLIP-B datacompdr_lt" in lines
    assert lines[lines.index("RN50 openai") - 1].split()[:3] == ["RN50", "not", "downloaded"]
    assert {"RN50 yfcc15m", "RN50 cc12m"} <= set(lines)
    as_json = run("models", "list", "MobileCLIP-B", "--json").out.splitlines()
    assert [json.loads(line)["pretrained"] for line in as_json] == ["datacompdr", "datacompdr_lt"]


def test_what_is_published_about_many_languages_is_told(run: Run) -> None:
    out = run("models", "list", "ViT-B-16-SigLIP-i18n-256").out
    assert "64 tokens at most, many languages" in out
    assert "% recall at 1 of images for a text, the mean of 36 languages" in out


@pytest.mark.parametrize(
    ("words", "rows"),
    [
        (["ViT-B/32"], ["ViT-B-32 openai"]),
        (["ViT-L/14@336px"], ["ViT-L-14-336 openai"]),
        (["ViT-B-16-SigLIP2__webli"], ["ViT-B-16-SigLIP2 webli"]),
        (["ViT-L-14", "--pretrained", "dfn2b"], ["ViT-L-14 dfn2b"]),
        (["hf-hub:openai/clip-vit-base-patch32"], ["ViT-B-32 openai"]),
        (["hf-hub:laion/CLIP-ViT-B-32-laion2B-s34B-b79K"], ["ViT-B-32 laion2b_s34b_b79k"]),
        (["tiny"], []),
    ],
)
def test_any_name_of_a_published_model_has_its_facts(run: Run, words: list[str], rows: list[str]) -> None:
    status, out, err = run("models", "list", *words)
    assert (status, err) == (0, "")
    assert [line for line in out.splitlines() if not line.startswith(" ") and len(line.split()) == 2] == rows
    assert run("models", "list", *words, "--all").status == (2 if words == ["tiny"] else 0)


def test_of_openais_models_both_files_are_named_with_their_sizes(run: Run) -> None:
    out = run("models", "list", "ViT-B/32").out
    copy = "hf-hub:timm/vit_base_patch32_clip_224.openai"
    assert f"  weights      OpenAI's ViT-B-32.pt, 354 MB (copy: {copy}, 605 MB)" in out.splitlines()


def test_of_what_nobody_has_published_there_are_no_facts(run: Run) -> None:
    for name in "convnext_tiny", "mt5-base-ViT-B-32":
        status, out, err = run("models", "list", name)
        assert (
            status,
            out,
            "no published weights; other commands take a file of your own with --pretrained FILE" in err,
        ) == (0, "", True)


def test_of_a_name_of_the_hub_it_is_told_whether_it_is_cached(run: Run, tmp_path: Path) -> None:
    with using({"config.json": b"{}", "model.safetensors": CONTENT}, tmp_path / "home") as hub:
        name = f"hf-hub:{hub.repository}"
        status, out, err = run("models", "list", name)
        assert (status, out.split()[:3]) == (0, [name, "not", "downloaded"])
        assert "is not in OpenCLIP's table" in err
        assert run("models", "download", name).status == 0
        folder = run("models", "list", name).out.split()[2]
        assert run("models", "list", name).out.split() == [name, "downloaded", folder]
        assert run("models", "list", f"{name}/inner").out.split()[1:] == [
            "not",
            "downloaded",
            f"{hub.url}/{hub.repository}",
        ]
        root = ("--download-root", tmp_path / "other")
        assert run("models", "list", name, *root).out.split()[1:3] == ["not", "downloaded"]
        assert run("models", "download", name, *root).status == 0
        assert run("models", "list", name, *root).out.split()[2].startswith(str(tmp_path / "other"))
        (Path(folder) / "model.safetensors").unlink()
        assert run("models", "list", name).out.split()[1:3] == ["not", "downloaded"]


def test_a_file_in_place_of_a_tag_is_named(run: Run, tmp_path: Path) -> None:
    (tmp_path / "mine.pt").touch()
    for action in "list", "download":
        status, out, err = run("models", action, "convnext_tiny", "--pretrained", tmp_path / "mine.pt")
        assert (status, out) == (2, "")
        assert "mine.pt: is a file or folder here; expected a tag that `numpyclip models list convnext_tiny`" in err


def test_a_file_is_downloaded_if_it_was_verified(run: Run, small: KnownModel, tmp_path: Path) -> None:
    def state() -> str:
        return model_files.state_of("small", str(tmp_path))[0]

    (tmp_path / "small.pt").write_bytes(CONTENT)
    assert state() == "unverified"
    run("models", "verify", "small", "--download-root", tmp_path)
    assert state() == "downloaded"
    (tmp_path / "small.pt").write_bytes(b"damaged")
    assert state() == "unverified"


def test_the_name_of_a_model_is_no_action(run: Run) -> None:
    status, out, err = run("models", "ViT-B-32")
    assert (status, out, "did you mean `numpyclip models list ViT-B-32`?" in err) == (2, "", True)


def test_the_table_is_sorted(run: Run) -> None:
    def listed(order: str, column: int) -> list[float]:
        rows = run("models", "list", "ViT-L-14", "--all", "--sort", order).out.splitlines()
        return [float(row.split()[column]) for row in rows[1:]]

    sizes, accuracies = listed("size", 3), listed("accuracy", 4)
    assert sizes == sorted(sizes)
    assert accuracies == sorted(accuracies, reverse=True)


def test_a_terminal_of_80_columns_has_the_name_above_and_the_legend_below(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(published_models, "_terminal_width", lambda: 80)
    status, out, err = run("models", "--all")
    header, first, second, *_, last = out.splitlines()
    assert (status, first, second.split()[0]) == (0, "coca_ViT-B-32", "laion2b_s13b_b90k")
    assert header == last
    assert max(map(len, out.splitlines())) <= 80
    assert "IN1k: ImageNet, %" in err


def test_a_name_that_is_wrong_is_told_before_a_table_begins(run: Run) -> None:
    status, out, err = run("models", "list", "--all", "ViT-B-32", "ViT-B-31")
    assert (status, out) == (2, "")
    assert "'ViT-B-31' not found" in err


def test_models_of_the_hub_are_downloaded_by_either_name(run: Run, tmp_path: Path) -> None:
    with using({"open_clip_model.safetensors": CONTENT}, tmp_path / "home") as hub:
        hub.repository = "laion/CLIP-ViT-B-32-laion2B-s34B-b79K"
        for words in ((f"hf-hub:{hub.repository}",), ("ViT-B-32", "--pretrained", "laion2b_s34b_b79k")):
            status, out, _ = run("models", "download", *words)
            name, state, path = out.split()
            assert (status, name, state) == (0, words[0], "downloaded")
            assert (Path(path) / "open_clip_model.safetensors").read_bytes() == CONTENT


@pytest.mark.parametrize(
    "words",
    [
        ["--pretrained", "openai"],
        ["list", "--sort", "size"],
        ["verify", "--sort", "size"],
        ["list", "tiny", "--all"],
        ["list", "tests"],
        ["download", "ViT-B-32", "ViT-B-16", "--pretrained", "openai"],
        ["download", "--all"],
    ],
)
def test_options_that_mean_nothing_there_are_wrong(run: Run, words: list[str]) -> None:
    assert run("models", *words).status == 2


def test_download_of_an_unknown_tag_lists_the_known_ones(run: Run) -> None:
    status, _, err = run("models", "download", "ViT-g-14", "--pretrained", "laion")
    assert status == 2
    assert "laion2b_s12b_b42k, laion2b_s34b_b88k" in err


def test_what_fails_does_not_keep_others_from_being_downloaded(run: Run, small: KnownModel, tmp_path: Path) -> None:
    (tmp_path / "small.pt").write_bytes(CONTENT)
    with using({}, tmp_path / "home"):
        status, out, err = run("models", "download", "hf-hub:no/such", "small", "--download-root", tmp_path)
    assert (status, out.split()[:2]) == (3, ["small", "downloaded"])
    assert "hf-hub:no/such" in err


def test_a_wrong_name_among_others_is_told_before_anything_is_downloaded(run: Run, small: KnownModel) -> None:
    status, out, err = run("models", "download", "small", "ViT-B-31")
    assert (status, out) == (2, "")
    assert "'ViT-B-31' not found" in err
    assert "Did you mean 'ViT-B/32'" in err


def test_a_text_tower_is_downloaded_with_the_model_of_its_images(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def found(name: str, pretrained: str | None, download_root: str | None) -> ModelFiles:
        asked.append((name, pretrained))
        return ModelFiles(path=tmp_path, weights=tmp_path)

    monkeypatch.setattr(locate, "locate", found)
    status, out, _ = run("models", "download", "XLM-Roberta-Large-Vit-B-16Plus", "ViT-B-32__openai")
    assert (status, len(out.splitlines())) == (0, 2)
    text = ("hf-hub:M-CLIP/XLM-Roberta-Large-Vit-B-16Plus", None)
    assert asked == [("ViT-B-16-plus-240", "laion400m_e32"), text, ("ViT-B-32", "openai")]


def test_an_engine_is_for_verify(run: Run) -> None:
    status, _, err = run("models", "list", "--engine", "numpy")
    assert status == 2
    assert "--engine is for `numpyclip models verify`, not for list." in err
