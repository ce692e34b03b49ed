import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import numpyclip
from numpyclip.dual_encoder.clip import CLIP
from numpyclip.index import Index
from tests.cli.conftest import Run
from tests.families.test_parity import FAMILIES
from tests.videos.made_videos import BLUE, RED, scenes, write_video


def test_an_index_remembers_its_folders_and_its_model(run: Run, store: Path, album: Path) -> None:
    (album / "broken.jpg").unlink()
    status, out, err = run("index", "--store", store)
    assert (status, out, err) == (0, "", "numpyclip: 3 unchanged, 1 removed\nnumpyclip: 1 file left out: 1 .txt\n")
    out = run("index", "--list", "--json", "--store", store).out
    listed = json.loads(out)
    assert (listed["model"], listed["pictures"], list(listed["folders"])) == ("tiny", 3, [str(album)])


def test_the_default_place_is_the_users(run: Run, album: Path, tmp_path: Path) -> None:
    run("index", album, "-m", "tiny")
    assert (tmp_path / "data" / "numpyclip" / "index" / "index.sqlite").exists()
    assert "house.PNG" in run("search", "a", "house", "-n", "1").out


def test_words_find_pictures(run: Run, store: Path, album: Path) -> None:
    status, out, err = run("search", "a", "house", "--store", store)
    lines = [line.split("\t") for line in out.splitlines()]
    assert (status, err) == (0, "")
    assert lines[0][1] == str(album / "house.PNG")
    assert 0.5 < float(lines[0][0]) <= 1
    assert run("search", "a house", "--store", store, "-n", "1", "--paths", "-0").out == f"{album / 'house.PNG'}\0"


def test_json_has_all_that_is_known(run: Run, store: Path, album: Path) -> None:
    record = json.loads(run("search", "a house", "--store", store, "-n", "1", "--json").out)
    assert record["path"] == str(album / "house.PNG")
    assert set(record) == {"path", "probability", "cosine", "id", "date", "width", "height"}


def test_pictures_and_sums_have_cosines(run: Run, store: Path, album: Path) -> None:
    out = run("search", "--near", album / "bird.png", "--store", store).out
    assert out.splitlines()[0] == f"1.0000\t{album / 'bird.png'}"
    out = run("search", "--near", album / "bird.png", "--not", "a bird", "--store", store, "--json").out
    assert all("probability" not in json.loads(line) for line in out.splitlines())


def test_what_is_no_better_than_chance_is_printed_with_a_note(run: Run, store: Path) -> None:
    status, out, err = run("search", "qwxz grmbl fjord", "--store", store)
    assert (status, out.count("\n")) == (0, 3)
    assert re.fullmatch(
        r"numpyclip: perhaps none of these: the best probability is 0\.\d\d, which is no better than chance among 3 "
        r"images \(cutoff 0\.61\)\.\n",
        err,
    )
    assert run("search", "qwxz grmbl fjord", "--store", store, "--all") == (status, out, err)


def test_strictly_it_is_not_printed(run: Run, store: Path) -> None:
    status, out, err = run("search", "qwxz grmbl fjord", "--store", store, "--strict")
    assert (status, out) == (1, "")
    assert err.startswith("numpyclip: no match: the best probability is 0.")
    assert run("search", "a house", "--store", store, "--strict") == run("search", "a house", "--store", store)
    status, out, err = run("search", "a house", "--store", store, "--strict", "--threshold", "0.5")
    assert (status, out, "not allowed with" in err) == (2, "", True)


@pytest.mark.parametrize("minimum", ["7", "-0.1", "nan", "inf"])
def test_a_minimum_that_is_no_probability_is_refused(run: Run, store: Path, minimum: str) -> None:
    status, out, err = run("search", "a house", "--store", store, f"--threshold={minimum}")
    assert (status, out) == (2, "")
    assert f"--threshold is {float(minimum)}; expected a probability, 0 to 1" in err


def test_below_the_minimum_there_is_no_match(run: Run, store: Path) -> None:
    status, out, err = run("search", "qwxz grmbl fjord", "--store", store, "--threshold", "0.9")
    assert (status, out) == (1, "")
    assert "no match: the best probability is 0." in err
    assert "--threshold asks for 0.9" in err
    assert run("search", "qwxz grmbl fjord", "--store", store, "--threshold", "0").out.count("\n") == 3


def test_paths_are_those_of_all_copies(run: Run, store: Path, album: Path) -> None:
    shutil.copy(album / "house.PNG", album / "copy.png")
    run("index", "--store", store)
    out = run("search", "a house", "--store", store, "-n", "1", "--paths").out
    assert out.splitlines() == [str(album / "copy.png"), str(album / "house.PNG")]
    out = run("search", "a house", "--store", store, "-n", "1", "--paths", "-0").out
    assert out == f"{album / 'copy.png'}\0{album / 'house.PNG'}\0"
    assert run("search", "a house", "--store", store, "-n", "1").out.count("\n") == 1


@pytest.mark.parametrize("folder", ["sub", "sub/", "./sub"])
def test_folders_are_relative_to_where_the_command_runs(
    run: Run, store: Path, album: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    monkeypatch.chdir(album)
    out = run("search", "a bird", "--store", store, "--all", "--folder", folder, "--paths").out
    assert out == f"{album / 'sub' / 'camera.webp'}\n"


@pytest.mark.parametrize("verb", [("search", "a house"), ("index",), ("index", "--texts", "-")])
def test_another_model_is_refused_without_loading_it(run: Run, store: Path, verb: tuple[str, ...]) -> None:
    status, out, err = run(*verb, "--store", store, "-m", "RN50")
    assert (status, out) == (2, "")
    assert f"{store}: was made with tiny, not with RN50. Leave out --model" in err
    status, _, err = run(*verb, "--store", store, "--pretrained", "openai")
    assert (status, "was made with tiny, not with tiny:openai" in err) == (2, True)


def test_a_copy_of_the_model_is_not_refused_by_its_name(
    run: Run, album: Path, tiny: CLIP, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NUMPYCLIP_OFFLINE", "1")
    place = tmp_path / "openai.index"
    with Index(place, tiny, create=True) as index:
        index.update([album / "sub"])
        with index.store.writing():
            index.store.remember_model(tiny.fingerprint, '{"model": "ViT-B/32"}')
    _, _, err = run("search", "a house", "--store", place, "-m", "hf-hub:openai/clip-vit-base-patch32")
    assert "NUMPYCLIP_OFFLINE" in err  # it would have been downloaded
    _, _, err = run("search", "a house", "--store", place, "-m", "hf-hub:openai/clip-vit-base-patch16")
    assert "was made with ViT-B/32, not with hf-hub:openai/clip-vit-base-patch16" in err


@pytest.mark.parametrize("verb", [("search", "a house"), ("index",)])
def test_the_model_of_an_index_made_from_python_is_named(
    run: Run, album: Path, tiny: CLIP, tmp_path: Path, verb: tuple[str, ...]
) -> None:
    place = tmp_path / "python.index"
    with Index(place, tiny, create=True) as index:
        index.update([album / "sub"])
    status, out, err = run(*verb, "--store", place)
    assert (status, out) == (2, "")
    assert f"{place}: was made from Python; name its model with --model." in err
    assert run(*verb, "--store", place, "-m", "tiny").status != 2


def test_the_model_may_be_named_again_or_be_a_file(run: Run, store: Path, album: Path, tmp_path: Path) -> None:
    assert run("search", "a house", "--store", store, "-m", "tiny").status == 0
    file = tmp_path / "same.npz"
    shutil.copy(Path(numpyclip.__file__).parent / "data" / "tiny.npz", file)
    other = tmp_path / "other.index"
    assert run("index", album, "--store", other, "-m", file, "--activation", "quick_gelu").status == 3
    assert run("search", "a house", "--store", other, "-m", file).status == 0  # its activation is remembered, too
    file.rename(tmp_path / "moved.npz")
    moved = ("-m", str(tmp_path / "moved.npz"), "--activation", "quick_gelu")
    assert run("search", "a house", "--store", other, *moved).status == 0


def test_folders_and_dates_are_filters(run: Run, store: Path, album: Path) -> None:
    out = run("search", "a bird", "--store", store, "--all", "--folder", album / "sub", "--paths").out
    assert out == f"{album / 'sub' / 'camera.webp'}\n"
    status, out, err = run("search", "a bird", "--store", store, "--before", "1999-01-01")
    assert (status, out) == (1, "")
    assert "no image meets the conditions" in err


def test_texts_are_found_by_pictures(run: Run, store: Path, album: Path) -> None:
    result = run("index", "--texts", "-", "--store", store, stdin=b"a bird\na house\n")
    assert (result.status, result.err) == (0, "numpyclip: 2 new texts\n")
    out = run("search", "--near", album / "house.PNG", "--in", "texts", "--store", store, "-n", "1", "--paths").out
    assert out == "a house\n"


def test_a_contact_sheet_shows_what_is_found(run: Run, store: Path, tmp_path: Path) -> None:
    assert run("search", "a house", "--store", store, "--sheet", tmp_path / "birds.png").status == 0
    with Image.open(tmp_path / "birds.png") as sheet:
        assert sheet.width > 3 * 160


@pytest.mark.parametrize(("protocol", "start"), [("kitty", "\033_Ga=T"), ("iterm", "\033]1337"), ("sixel", "\033Pq")])
def test_previews_are_drawn_behind_each_line(run: Run, store: Path, protocol: str, start: str) -> None:
    out = run("search", "a house", "--store", store, "--preview", protocol).out
    assert out.count(start) == 3


def test_a_forgotten_folder_of_one_that_is_known_stays_forgotten(
    run: Run, store: Path, album: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (album / "broken.jpg").unlink()
    monkeypatch.chdir(album)
    assert run("index", "--forget", "sub/", "--store", store).status == 0
    assert run("index", "--store", store).err.startswith("numpyclip: 2 unchanged, 1 removed\n")
    assert f"{album}\twithout /sub\n" in run("index", "--list", "--store", store).out


def test_a_folder_without_files_in_the_index_is_kept_out(run: Run, store: Path, album: Path) -> None:
    (album / "new").mkdir()
    assert run("index", "--forget", album / "new", "--store", store).status == 0
    assert f"{album}\twithout /new\n" in run("index", "--list", "--store", store).out
    assert run("index", "--forget", album / "nwe", "--store", store).status == 1
    assert "nwe" not in run("index", "--list", "--store", store).out


def test_problems_and_forgotten_folders(run: Run, store: Path, album: Path) -> None:
    out = run("index", "--problems", "--store", store).out
    assert out.startswith(f"{album / 'broken.jpg'}\t")
    assert run("index", "--forget", album, "--store", store).status == 0
    assert run("index", "--forget", album, "--store", store).status == 1
    assert run("search", "a bird", "--store", store).status == 1


def test_compacting_drops_pictures_that_are_gone(run: Run, store: Path, album: Path) -> None:
    (album / "bird.png").unlink()
    run("index", "--store", store)
    assert run("index", "--compact", "--store", store, "--json").out == '{"dropped": 1}\n'


def test_migration_is_refused_where_it_would_change_nothing(run: Run, store: Path) -> None:
    status, _, err = run("index", "--migrate", "-m", "tiny", "--store", store)
    assert status == 2
    assert "there is nothing to migrate" in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["search", "--not", "a dog"], "nothing to look for"),
        (["search", "--near", "nowhere.png"], "nowhere.png: is not there"),
        (["search", "x", "--in", "texts", "--after", "2024"], "texts have no folder and no date"),
        (["search", "x", "--in", "texts", "--sheet", "x.png"], "texts have no images to show"),
        (["search", "x", "--in", "texts", "--preview", "kitty"], "texts have no images to show"),
        (["search", "x + y", "--threshold", "0.5"], "--threshold: probabilities exist only"),
        (["search", "x", "--in", "texts", "--threshold", "0"], "--threshold: probabilities exist only"),
        (["search", "x", "--folder", ""], "folder is empty"),
        (["search", "x", "--rating", "6"], "expected an integer from 1 to 5"),
        (["search", "x", "--within", "1,2,3"], "expected south, west, north and east"),
        (["search", "x", "--around", "91,0,1"], "expected latitude and longitude"),
        (["search", "x", "--tag", ""], "tag is ''; expected a name"),
        (["search", "x", "--before", "2024-02-30"], "'2024-02-30' is no date"),
        (["search", "x", "--after", "yesterday"], "'yesterday' is no date"),
        (["index", "nowhere"], "nowhere: is no folder"),
        (["index", "--ignore", "*.png"], "--ignore has nothing to do"),
        (["search", "x", "--preview"], "not known to show images"),
    ],
)
def test_wrong_arguments_are_named(
    run: Run, store: Path, words: list[str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMUX", "inside")
    status, out, err = run(*words, "--store", store)
    assert (status, out) == (2, "")
    assert message in err


def test_no_index_is_named(run: Run, tmp_path: Path) -> None:
    status, _, err = run("search", "x", "--store", tmp_path / "nowhere")
    assert status == 2
    assert "holds no index; make one with `numpyclip index FOLDER --store" in err


def test_a_threshold_without_probabilities_is_refused_before_the_index_is_opened(run: Run, tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "p.png")
    status, _, err = run("search", "--near", tmp_path / "p.png", "--threshold", "0.5", "--store", tmp_path / "none")
    assert (status, "--threshold: probabilities" in err) == (2, True)


def test_an_index_is_searched_with_the_text_tower_of_another_model(run: Run, album: Path, tmp_path: Path) -> None:
    """Whose name it remembers if it was made with it."""
    pytest.importorskip("tokenizers", reason="the extra numpyclip[tokenizers] is not installed")
    images, texts = FAMILIES / "open_clip-xlm-roberta", FAMILIES / "mclip-bert"
    (album / "broken.jpg").unlink()
    first, second = tmp_path / "first", tmp_path / "second"
    assert run("index", album, "--store", first, "-m", images).status == 0
    found = run("search", "a", "house", "--all", "--store", first, "--text-model", texts)
    assert (found.status, len(found.out.splitlines())) == (0, 3)
    assert run("index", album, "--store", second, "-m", images, "--text-model", texts).status == 0
    assert run("search", "a", "house", "--all", "--store", second).out == found.out
    status, _, err = run("search", "a", "house", "--store", first, "--text-model", images.with_name("timm-siglip"))
    assert (status, "expected a text tower that was trained for these images" in err) == (2, True)


@pytest.mark.filterwarnings("ignore:.*Matryoshka")
def test_an_index_remembers_that_embeddings_are_truncated(run: Run, album: Path, tmp_path: Path) -> None:
    store = tmp_path / "truncated.index"
    assert run("index", album / "sub", "--store", store, "-m", "tiny", "--truncate-dim", "32").status != 2
    found = run("search", "a bird", "--store", store, "--paths", "--all")
    assert found.out.endswith("camera.webp\n")
    status, out, err = run("search", "a bird", "--store", store, "-m", "tiny", "--truncate-dim", "16")
    assert (status, out) == (2, "")
    assert "holds embeddings of 32 dimensions, not 16" in err


def test_the_command_that_makes_an_index_has_the_options_that_were_given(run: Run, tmp_path: Path) -> None:
    words = ("-m", "ViT-B-16-SigLIP2", "--pretrained", "webli", "--store", tmp_path / "an index")
    status, _, err = run("search", "a bird", *words)
    given = f"--model ViT-B-16-SigLIP2 --pretrained webli --store '{tmp_path / 'an index'}'"
    assert (status, f"make one with `numpyclip index FOLDER {given}`." in err) == (2, True)


def test_a_search_says_which_view_is_the_best(run: Run, wide: Path, tmp_path: Path) -> None:
    store = tmp_path / "views"
    assert run("index", wide.parent, "-m", "tiny", "--store", store).status == 0
    status, _, err = run("index", "--views", "crop,tiles", "--store", store)
    assert (status, err) == (0, "numpyclip: 1 unchanged, 1 completed\n")
    assert json.loads(run("index", "--list", "--json", "--store", store).out)["views"] == ["crop", "tiles"]
    assert "views crop,tiles" in run("index", "--list", "--store", store).out
    out = run("search", "a bird", "--all", "--store", store).out
    assert out.split("\t")[1:] == [str(wide), "left\n"]
    assert json.loads(run("search", "a house", "--all", "--json", "--store", store).out)["part"] == "right"
    out = run("search", "--near", wide, "--views", "tiles", "--store", store).out
    assert out.startswith(f"1.0000\t{wide}")
    assert run("index", "--compact", "--views", "crop", "--store", store).status == 2
    assert run("search", "a bird", "--views", "crop", "--store", store).status == 2


def test_without_words_the_index_is_updated_too_if_that_is_asked_for(run: Run, store: Path, album: Path) -> None:
    Image.new("RGB", (9, 9)).save(album / "new.png")
    words = ("search", "--folder", album, "--store", store, "--paths")
    assert "new.png" not in run(*words).out
    assert f"{album / 'new.png'}\n" in run(*words, "--update").out


@pytest.mark.parametrize("option", ["--strict", "--threshold=0.5", "--sheet=x.png", "--preview=sixel", "--views=pad"])
def test_without_words_there_is_nothing_that_a_result_could_be_worth(run: Run, store: Path, option: str) -> None:
    result = run("search", "--after", "1990", option, "--store", store)
    assert (result.status, result.out) == (2, "")
    assert f"{option.partition('=')[0]}: needs something to look for" in result.err


@pytest.mark.parametrize("words", [[], ["a", "bird"]])
def test_names_that_the_index_does_not_have_are_told_with_those_that_it_has(
    run: Run, store: Path, album: Path, words: list[str]
) -> None:
    run("mark", album / "bird.png", "--tag", "birds", "--store", store)
    result = run("search", *words, "--tag", "bird", "--camera", "nikon", "--store", store)
    assert (result.status, result.out) == (1, "")
    assert "no image meets the conditions. There is no camera 'nikon'; there are none." in result.err
    assert "There is no tag 'bird'; there are: birds (1)." in result.err


def test_of_many_names_those_most_alike_are_told(run: Run, store: Path, album: Path) -> None:
    for name in ("Cats", "Dogs", "Holidays", "Italy", "People", "Zebras"):
        run("mark", album / "bird.png", "--album", name, "--store", store)
    assert run("search", "--album", "HOLIDAYS", "--paths", "--store", store).out
    result = run("search", "--album", "holliday", "--store", store)
    assert "There is no album 'holliday'; there are: Holidays (1) and 5 more." in result.err
    assert "there are: Cats (1), Dogs (1)" in run("search", "--album", "xyz", "--store", store).err


def test_without_words_nothing_has_a_cosine(run: Run, store: Path) -> None:
    found = [json.loads(line) for line in run("search", "--after", "1990", "--json", "--store", store).out.splitlines()]
    assert [each.keys() & {"cosine", "date"} for each in found] == [{"date"}] * 3


def test_videos_are_shown_at_the_moments_that_were_found(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("av", reason="the extra numpyclip[video] is not installed")
    (tmp_path / "photos").mkdir()
    write_video(tmp_path / "photos" / "clip.mp4", scenes((6, RED), (6, BLUE)))
    assert run("index", tmp_path / "photos", "-m", "tiny", "--store", tmp_path / "index").status == 0
    words = ("search", "--near", f"{tmp_path / 'photos' / 'clip.mp4'}@9", "--store", tmp_path / "index")
    result = run(*words, "--preview", "sixel", "--sheet", tmp_path / "sheet.png")
    assert (result.status, result.err, result.out.count("\033Pq")) == (0, "", 1)
    with Image.open(tmp_path / "sheet.png") as sheet:
        red, _, blue = np.asarray(sheet)[92, 92]
    assert blue > 200 > red
