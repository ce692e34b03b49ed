"""`numpyclip embed` to folders: what it says, and how it ends. `tests.batch` has the rest."""

import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

from numpyclip.batch import Progress, work
from numpyclip.cli import parts
from tests.cli.conftest import Run

pytest.importorskip("pyarrow", reason="the extra numpyclip[parquet] is not installed")


@pytest.fixture
def shards(album: Path, tmp_path: Path) -> Path:
    """A folder of two archives with a picture and a caption each."""
    folder = tmp_path / "shards"
    folder.mkdir()
    for number, name in enumerate(("bird.png", "house.PNG")):
        (folder / "caption").write_text(name)
        with tarfile.open(folder / f"{number}.tar", "w") as archive:
            archive.add(album / name, f"000.{name[-3:].lower()}")
            archive.add(folder / "caption", "000.txt")
    (folder / "caption").unlink()
    return folder


def keys(folder: Path) -> list[str]:
    from pyarrow import parquet

    return [key for path in sorted(folder.glob("*.parquet")) for key in parquet.read_table(path)["key"].to_pylist()]


def test_shards_become_parts_and_a_second_run_has_nothing_to_do(run: Run, shards: Path, tmp_path: Path) -> None:
    words = ["embed", "images", shards / "{0..1}.tar", "-o", f"{tmp_path}/out/", "-m", "tiny", "--workers", 1]
    status, out, err = run(*words)
    assert (status, out) == (0, "")
    assert f"numpyclip: {tmp_path}/out/: 2 images in 2 parts, " in err
    assert keys(tmp_path / "out") == [f"{shards}/0.tar/000", f"{shards}/1.tar/000"]
    status, out, err = run(*words, "--json")
    assert (status, err) == (0, "")
    summary = json.loads(out)
    assert (summary["parts"], summary["parts_skipped"], summary["rows"], summary["failed"]) == (2, 2, 0, [])
    assert "0 images in 2 parts (2 were complete before), " in run(*words).err


def test_errors_and_failed_parts_are_told_and_the_exit_status_is_3_or_2(
    run: Run, shards: Path, album: Path, tmp_path: Path
) -> None:
    words = ["embed", "images", "-m", "tiny", "--workers", 1, "-o"]
    missing = shards / "9.tar"
    status, _, err = run(*words, f"{tmp_path}/out/", album, missing)
    assert status == 3
    assert f"numpyclip: part 1: {missing}: cannot be read" in err
    assert "1 of them with an error in the place of an embedding" in err
    assert "1 part failed, named above; the same command tries again" in err
    assert run(*words, f"{tmp_path}/none/", missing).status == 2
    assert [run(*words, f"{tmp_path}/broken/", album / "broken.jpg").status for _ in range(2)] == [2, 0]  # as help says
    assert run(*words, f"{tmp_path}/out/", album, missing).status == 3


def test_files_that_are_left_out_are_told(run: Run, album: Path, tmp_path: Path) -> None:
    (album / "a.pdf").touch()
    outputs = f"{tmp_path}/out/", tmp_path / "one.parquet"
    told = [run("embed", "images", album, "-o", output, "-m", "tiny").err for output in outputs]
    (line,) = [line for line in told[1].splitlines() if "left out" in line]
    assert "1 .pdf" in line
    assert line in told[0]


def test_every_option_reaches_the_run(run: Run, shards: Path, tmp_path: Path) -> None:
    words = ["embed", "images", shards, "-o", f"{tmp_path}/out/", "-m", "tiny", "--shard", "1/2", "--dtype", "float16"]
    result = run(*words, "--layout", "clip-retrieval", "--carry", "caption", "--batch-size", 7)
    assert result.status == 0
    assert ": 1 image in 1 part, " in result.err
    assert [path.name for path in (tmp_path / "out" / "img_emb").iterdir()] == ["img_emb_0001.npy"]
    manifest = json.loads((tmp_path / "out" / "_manifest.json").read_text())
    assert (manifest["dtype"], manifest["options"]["batch_size"]) == ("float16", 7)
    assert manifest["options"]["columns"] == ["caption"]


def test_a_list_may_have_any_name_and_come_from_stdin(run: Run, album: Path, tmp_path: Path) -> None:
    (tmp_path / "list").write_text(f"{album / 'house.PNG'}\n")
    words = ["embed", "images", "-m", "tiny", "--workers", 1, "-o", f"{tmp_path}/out/"]
    stdin = f"{album / 'bird.png'}\n".encode()
    assert run(*words, "-", "--from", tmp_path / "list", stdin=stdin).status == 0
    assert keys(tmp_path / "out") == [str(album / name) for name in ("bird.png", "house.PNG")]
    words[-1] = f"{tmp_path}/again/"
    assert run(*words, "--from", "-", stdin=stdin).status == 0
    assert keys(tmp_path / "again") == [str(album / "bird.png")]


def test_texts_have_their_captions_beside_them(run: Run, tmp_path: Path) -> None:
    from pyarrow import parquet

    (tmp_path / "list.txt").write_text("a dog\na cat\n" + "dog " * 100)
    words = ["embed", "texts", tmp_path / "list.txt", "-m", "tiny", "-o"]
    assert run(*words, f"{tmp_path}/out/").status == 3
    assert run(*words, f"{tmp_path}/cut/", "--truncate").status == 0
    table = parquet.read_table(tmp_path / "out" / "part-00000.parquet")
    assert table["caption"].to_pylist()[:2] == ["a dog", "a cat"]
    assert "expected at most 77 tokens." in table["error"].to_pylist()[2]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["images", "-o", "{out}.npz", "--workers", "2"], "--workers is for outputs to a folder, which ends in /"),
        (["images", "-o", "{out}.parquet", "--shard", "0/2"], "--shard is for outputs to a folder"),
        (["images", "-o", "s3://bucket/out.parquet", "--on", "ray"], "--on is for outputs to a folder"),
        (["images", "-o", "s3://bucket/out.npz"], "'s3://bucket/out.npz': a single file at a URL ends in .parquet"),
        (["images", "-o", "{out}.npz", "--dtype", "float16"], "--dtype is for outputs to a .parquet file, a folder"),
        (["images", "-o", "{out}/", "--store", "an.index"], "--store is for outputs of one file"),
        (["images", "-o", "{out}/", "--shard", "2/2"], "'2/2' is not I/N with I from 0 to N - 1"),
        (["images", "-o", "{out}/", "--workers", "0"], "'0' is no positive integer"),
        (["images", "-o", "{out}/", "--on", "slurm"], "on is 'slurm'"),
        (["images", "-o", "{out}"], "does not end in .npy, .npz, .jsonl, .parquet; a folder of parts ends in /"),
        (["texts", "-o", "{out}/", "--from", "-"], "-: texts of standard input cannot be divided into parts"),
        (["texts", "-o", "{out}/", "-"], "-: texts of standard input cannot be divided into parts"),
    ],
)
def test_what_does_not_fit_together_is_refused(
    words: list[str], message: str, run: Run, album: Path, tmp_path: Path
) -> None:
    result = run("embed", *(word.format(out=tmp_path / "out") for word in words), album, "-m", "tiny")
    assert result.status == 2
    assert message in result.err
    assert not (tmp_path / "out").exists()


def test_progress_is_one_line_on_a_terminal_and_one_a_minute_elsewhere(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    steps = [Progress(4, 0, 32, 1.0, None), Progress(4, 1, 6000, 61.0, 183.2), Progress(4, 1, 6100, 62.0, 182.0)]
    display = parts._Display("images")
    for step in steps:
        display(step)
    display.close()
    assert capsys.readouterr().err == "numpyclip: 6,000 images, 98.36/s, 1 of 4 parts, 0:03:03 left\n"
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    display = parts._Display("texts")
    display(steps[0])
    display.close()
    assert "\r32 texts, 32/s, 0 of 4 parts" in capsys.readouterr().err


def test_an_interrupt_says_how_to_go_on(run: Run, album: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*words: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(work, "read_part", interrupted)
    status, _, err = run("embed", "images", album, "-o", f"{tmp_path}/out/", "-m", "tiny", "--workers", 1)
    assert status == 130
    assert err == f"numpyclip: {tmp_path}/out/: is not complete; the same command continues.\nnumpyclip: interrupted\n"


@pytest.mark.skipif(os.name == "nt", reason="a console has no groups of processes to be interrupted")
def test_ctrl_c_ends_all_processes_and_nobody_has_a_traceback(shards: Path, tmp_path: Path) -> None:
    """A terminal sends SIGINT to the whole group, workers included."""
    code = (
        "import os, signal, sys; from numpyclip.batch import local_pool\n"
        "started = local_pool._Process.embed\n"
        "def embed(*words):\n"
        "    os.killpg(0, signal.SIGINT); return started(*words)\n"
        "local_pool._Process.embed = embed\n"
        "from numpyclip.cli import main; sys.exit(main())"
    )
    words = ["embed", "images", str(shards), "-o", f"{tmp_path}/out/", "-m", "tiny", "--workers", "2"]
    options: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    driver = subprocess.Popen([sys.executable, "-c", code, *words], start_new_session=True, **options)
    out, err = driver.communicate(timeout=60)  # until the last process that has its stderr is gone
    assert (driver.returncode, out) == (130, ""), err
    assert err.splitlines()[-1] == "numpyclip: interrupted"
    assert "Traceback" not in err
