"""Options that mean the same in every command: which image files are refused."""

import argparse
from pathlib import Path

import pytest
from PIL import Image

from numpyclip.cli import parse
from numpyclip.cli.options import decode_options, pixels
from numpyclip.images.decode_options import DecodeOptions
from tests.cli.conftest import Run
from tests.raw_files import dng, preview

DECODING = {  # what each command that decodes images is called with
    "index": ["{folder}"],
    "search": ["--near", "{image}"],
    "serve": [],
    "classify": ["{image}", "a", "b"],
    "tag": ["{image}"],
    "caption": ["{image}"],
    "ask": ["{image}", "is it a dog?"],
    "filter": ["{image}", "--keep", "dog"],
    "duplicates": ["{image}"],
    "embed": ["images", "{image}"],
    "explain": ["{image}", "a dog"],
    "sheet": ["{image}", "-o", "{folder}/sheet.png"],
    "map": ["{image}", "-o", "{folder}/map.html"],
    "learn": ["{folder}", "-o", "{folder}/probe.npz"],
    "aesthetic": ["{image}", "--predictor", "x.npz"],
    "evaluate": ["{folder}"],
}


def words(command: str, folder: Path) -> list[str]:
    return [command, *(word.format(folder=folder, image=folder / "a" / "image.jpg") for word in DECODING[command])]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a picture of 64 x 48 pixels whose end marker is missing, in a folder of a class."""
    file = tmp_path / "photos" / "a" / "image.jpg"
    file.parent.mkdir(parents=True)
    Image.radial_gradient("L").resize((64, 48)).save(file, "JPEG")
    file.write_bytes(file.read_bytes()[:-2])
    return tmp_path / "photos"


@pytest.mark.parametrize("command", DECODING)
def test_every_command_that_decodes_images_has_the_options(command: str, tmp_path: Path) -> None:
    given = parse([*words(command, tmp_path), "--max-pixels", "3M", "--strict-files", "--develop-raw"])
    options = decode_options(given, draft=True)
    assert (options.max_pixels, options.strict_files, options.develop_raw) == (3_000_000, True, True)
    default = parse(words(command, tmp_path))
    assert decode_options(default, draft=True) == DecodeOptions(draft=True)


@pytest.mark.parametrize(
    "command", ["index", "classify", "filter", "duplicates", "embed", "explain", "sheet", "map", "evaluate"]
)
def test_the_options_refuse_images(command: str, run: Run, folder: Path, tmp_path: Path) -> None:
    model = [] if command == "sheet" else ["-m", "tiny"]
    for option, reason in (
        (["--max-pixels", "3071"], "has 64 x 48 pixels, 3072 in all; expected at most 3071."),
        (["--strict-files"], "cannot be read as an image (its end is missing, 100.0% of it is there)."),
    ):
        store = ["--store", tmp_path / option[0]] if command == "index" else []
        status, _, err = run(*words(command, folder), *model, *store, *option)
        assert status in (1, 2, 3)
        assert f"image.jpg: {reason}" in err


@pytest.mark.parametrize("command", ["index", "duplicates", "embed", "classify", "caption"])
def test_raw_files_are_developed_by_choice(
    command: str, run: Run, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("rawpy", reason="RAW files need rawpy")
    from numpyclip.images import raw

    developed = []
    load = raw.RawImage.load
    monkeypatch.setattr(raw.RawImage, "load", lambda image: developed.append(image) or load(image))  # type: ignore[func-returns-value]
    (folder / "a" / "image.jpg").write_bytes(dng(preview(), size=(320, 240)))
    for options in ([], ["--develop-raw"]):
        store = ["--store", tmp_path / f"index{len(options)}"] if command == "index" else ["--no-index"]
        assert not developed
        assert run(*words(command, folder), "-m", "tiny", *store, *options).status == (command == "duplicates")
    assert developed


@pytest.mark.filterwarnings("default")
def test_a_note_is_one_line_that_names_the_file(run: Run, folder: Path) -> None:
    result = run(*words("classify", folder), "-m", "tiny")
    assert result.status == 0
    expected = f"numpyclip: warning: {folder / 'a' / 'image.jpg'}: its end is missing, 100.0% of it is there.\n"
    assert result.err == expected


@pytest.mark.parametrize(
    ("text", "number"), [("1", 1), ("250M", 250_000_000), ("250m", 250_000_000), ("250000000", 250_000_000)]
)
def test_numbers_of_pixels(text: str, number: int) -> None:
    assert pixels(text) == number


@pytest.mark.parametrize("text", ["", "0", "0M", "M", "-1", "1.5M", "1G", "250 M", "²M", "1e6"])
def test_what_is_no_number_of_pixels(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is no number of pixels; expected one such as 250M"):
        pixels(text)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["caption", "-m", "tiny"], "nothing to caption"),
        (["caption", "a.png", "-m", "tiny", "--labels", "nowhere.txt"], "nowhere.txt: cannot be read"),
        (["classify", "-m", "tiny"], "nothing to classify"),
        (["classify", "a.png", "-m", "tiny"], "no labels: give them after the image"),
        (["classify", "a.png", "bird", "--template", "x", "-m", "tiny"], "where the label goes"),
        (["classify", "a.png", "--labels", "nowhere.txt", "-m", "tiny"], "nowhere.txt: cannot be read"),
        (["classify", "a.png", "--labels", "imagnet", "-m", "tiny"], "(no such file or dataset); expected a file, or"),
        (["embed", "texts", "-m", "tiny"], "nothing to embed"),
        (["embed", "texts", "a", "-o", "out.csv"], "'out.csv' does not end in .npy, .npz, .jsonl"),
        (["embed", "texts", "a", "--json", "-o", "out.npz"], "not allowed with argument"),
        (["embed", "images", "a.png", "--truncate"], "unknown option --truncate"),
        (["tag", "-m", "tiny"], "nothing to tag"),
        (["tag", "a.png", "-m", "tiny", "--threshold", "2"], "threshold is 2.0"),
        (["tag", "a.png", "-m", "tiny", "--labels", "nowhere.txt"], "nowhere.txt: cannot be read"),
        (["tag", "a.png", "-m", "tiny", "-n", "0"], "no positive integer"),
    ],
)
def test_wrong_arguments_are_named(run: Run, words: list[str], message: str) -> None:
    result = run(*words)
    assert (result.status, result.out) == (2, "")
    assert message in result.err
