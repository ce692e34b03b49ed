"""Runs as users start them: planned, resumed, shared, interrupted and killed."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from numpyclip.batch import Options, Progress, embed
from numpyclip.cli import main
from numpyclip.errors import InputError, NumPyCLIPError
from numpyclip.images.decode_options import DecodeOptions
from numpyclip.sources.part import Kind
from tests.batch.conftest import Read

pytest.importorskip("pyarrow", reason="the extra numpyclip[parquet] is not installed")

# Prints a line for each progress, so that whoever reads it can choose a moment.
DRIVER = """\
import sys
from numpyclip.batch import Options, embed
embed(sys.argv[1], sys.argv[2], model="tiny", workers=int(sys.argv[3]),
      options=Options(batch_size=2, progress=lambda progress: print(progress.rows, flush=True)))
"""


@pytest.fixture
def lists(pictures: Path, tmp_path: Path) -> str:
    """The pictures in six lists, each of which is a part."""
    paths = sorted(map(str, pictures.iterdir()))
    (tmp_path / "lists").mkdir()
    for number in range(6):
        (tmp_path / "lists" / f"{number}.txt").write_text("\n".join(paths[4 * number : 4 * number + 4]))
    return str(tmp_path / "lists" / "*.txt")


def here(source: str, destination: Path, **options: Any) -> Any:
    """Embed in this process."""
    return embed(source, destination, model="tiny", workers=1, options=Options(batch_size=2, **options))


def test_sources_become_parts_and_are_not_done_again(
    lists: str, pictures: Path, tmp_path: Path, read_rows: Read
) -> None:
    (pictures / "05.png").write_bytes(b"no image")
    seen: list[Progress] = []
    summary = here(lists, tmp_path / "out", progress=seen.append)
    assert (summary.parts, summary.parts_skipped, summary.rows, summary.errors) == (6, 0, 24, 1)
    assert (seen[-1].parts_done, seen[-1].rows, seen[-1].seconds_left) == (6, 24, 0)
    assert list(read_rows(tmp_path / "out")) == sorted(map(str, pictures.iterdir()))
    again = here(lists, tmp_path / "out")
    assert (again.parts, again.parts_skipped, again.rows) == (6, 6, 0)
    (tmp_path / "out" / "part-00002.parquet").unlink()
    assert here(lists, tmp_path / "out").rows == 4


def test_256_files_are_a_part(tmp_path: Path) -> None:
    for number in range(257):
        (tmp_path / f"{number:03}.png").touch()
    summary = here(str(tmp_path), tmp_path / "out")
    assert (summary.parts, summary.rows, summary.errors) == (2, 257, 257)


def test_texts_are_embedded_and_those_that_are_too_long_are_errors(tmp_path: Path) -> None:
    (tmp_path / "captions.txt").write_text("a dog\n" + "dog " * 100 + "\na cat\n")
    source, out = tmp_path / "captions.txt", tmp_path / "out"
    assert embed(source, out, model="tiny", kind="texts", options=Options(limit=2)).errors == 1
    assert embed(source, tmp_path / "cut", model="tiny", kind="texts", options=Options(truncate=True)).errors == 0


@pytest.mark.parametrize(
    "options",
    [
        {"decoding": DecodeOptions()},
        {"dtype": "float16"},
        {"layout": "clip-retrieval"},
        {"load": {"low_memory": True}},
        {"limit": 8},
    ],
)
def test_other_options_do_not_fit(options: dict[str, Any], lists: str, tmp_path: Path) -> None:
    here(lists, tmp_path / "out", shard=(0, 6))
    expected = "or --limit is another" if "limit" in options else "started with other settings"
    with pytest.raises(InputError, match=expected):
        here(lists, tmp_path / "out", **options)


def test_embeddings_of_another_engine_do_not_fit(lists: str, tmp_path: Path) -> None:
    here(lists, tmp_path / "out")
    manifest = tmp_path / "out" / "_manifest.json"
    manifest.write_text(manifest.read_text().replace('"engine": "numpy"', '"engine": "openvino"'))
    with pytest.raises(InputError, match=r'options\.engine: found "openvino", expected "numpy"'):
        here(lists, tmp_path / "out")


@pytest.mark.parametrize("kind", ["images", "texts"])
def test_a_run_of_the_command_is_continued_in_python(kind: Kind, pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "captions.txt").write_text("a dog\na cat\n")
    source, out = pictures if kind == "images" else tmp_path / "captions.txt", tmp_path / "out"
    assert main(["embed", kind, str(source), "-o", f"{out}/", "-m", "tiny", "--workers", "1"]) == 0
    summary = embed(source, out, model="tiny", kind=kind)
    assert summary.parts == summary.parts_skipped > 0


def test_runs_share_a_destination_by_the_numbers_of_parts(lists: str, tmp_path: Path, read_rows: Read) -> None:
    for share in range(4):
        summary = here(lists, tmp_path / "out", shard=(share, 4))
        assert (summary.parts, summary.parts_skipped) == (2 if share < 2 else 1, 0)
    here(lists, tmp_path / "alone")
    assert read_rows(tmp_path / "out") == read_rows(tmp_path / "alone")
    with pytest.raises(InputError, match="expected"):
        here(lists, tmp_path / "out", shard=(4, 4))


def test_parts_that_fail_are_named_and_tried_again(tmp_path: Path, lists: str) -> None:
    missing = tmp_path / "0.tar"
    summary = embed([lists, missing], tmp_path / "out", model="tiny", workers=1)
    (failed,) = summary.failed
    assert (summary.rows, failed.number, failed.source) == (24, 6, str(missing))
    assert "0.tar: cannot be read" in failed.error
    missing.write_bytes(bytes(1024))
    again = embed([lists, missing], tmp_path / "out", model="tiny", workers=1)
    assert (again.parts_skipped, again.failed) == (6, ())


def test_a_part_that_cannot_be_written_fails_and_the_others_do_not(lists: str, tmp_path: Path) -> None:
    here(lists, tmp_path / "out", shard=(0, 6))
    taken = tmp_path / "out" / "part-00002.parquet"
    taken.mkdir()
    summary = here(lists, tmp_path / "out")
    assert (summary.rows, [part.number for part in summary.failed]) == (16, [2])
    assert "part-00002.parquet: cannot be written" in summary.failed[0].error
    with pytest.raises(NumPyCLIPError, match="No part can be written"):
        here(lists, tmp_path / "out")
    taken.rmdir()
    assert here(lists, tmp_path / "out").rows == 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"workers": 0}, "workers is 0; expected an integer of 1 or more"),
        ({"on": "slurm"}, "on is 'slurm'; expected 'ray' or 'ray://host:port'"),
        ({"options": Options(batch_size=0)}, "batch_size is 0"),
        ({"kind": "texts"}, "holds no texts|found no lists"),
    ],
)
def test_wrong_arguments_are_named(arguments: dict[str, Any], message: str, pictures: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message):
        embed(pictures, tmp_path / "out", model="tiny", **arguments)
    assert not (tmp_path / "out").exists()


def test_the_url_of_a_file_is_no_destination(pictures: Path) -> None:
    with pytest.raises(InputError, match=r"memory://bucket/out.parquet: is a URL of a file; expected one of a folder"):
        embed(pictures, "memory://bucket/out.parquet", model="tiny")


def start(source: str, destination: Path, workers: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", DRIVER, source, str(destination), str(workers)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize(
    ("workers", "moment"),
    [(2, 3), *(pytest.param(n, at, marks=pytest.mark.exhaustive) for n in (1, 2) for at in (1, 2, 5, 8, 11))],
)
def test_a_killed_driver_takes_its_workers_along_and_the_same_call_continues(
    workers: int, moment: int, lists: str, tmp_path: Path, read_rows: Read
) -> None:
    driver = start(lists, tmp_path / "out", workers)
    assert driver.stdout and driver.stderr
    for _ in range(moment):
        assert driver.stdout.readline()
    driver.kill()
    _, errors = driver.communicate(timeout=60)  # until the last process that has its stderr is gone
    assert errors == ""
    kept = len(list((tmp_path / "out").glob("part-*.parquet")))
    summary = here(lists, tmp_path / "out")
    assert (summary.parts_skipped, summary.rows) == (kept, 24 - 4 * kept)
    here(lists, tmp_path / "alone")
    assert read_rows(tmp_path / "out") == read_rows(tmp_path / "alone")
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        path.name for path in (tmp_path / "alone").iterdir()
    }


MEMORY = """\
import resource, sys
from numpyclip.batch import Options, embed
def show(progress):
    print(progress.rows, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10)
embed(sys.argv[1], sys.argv[2], model="tiny", workers=1, options=Options(progress=show))
"""


@pytest.mark.exhaustive
@pytest.mark.skipif(sys.platform != "linux", reason="the peak of memory is in other units")
def test_the_memory_of_a_worker_does_not_grow_with_the_parts_it_has_done(bird: Path, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text(f"{bird}\n" * 3072)
    command = [sys.executable, "-c", MEMORY, str(tmp_path / "list.txt"), str(tmp_path / "out")]
    lines = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout.splitlines()
    peaks = {int(rows): int(mebibytes) for rows, mebibytes in map(str.split, lines)}
    assert peaks[3072] - peaks[768] < 10
