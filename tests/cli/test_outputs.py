from pathlib import Path

import pytest

from tests.cli.conftest import Run


@pytest.mark.parametrize(
    "words",
    [
        ["sheet", "{bird}", "-o", "{bird}"],
        ["sheet", "{bird.parent}", "-o", "{bird}"],
        ["sheet", "-", "-o", "{bird}"],
        ["sheet", "{bird.parent}", "-o", "{bird.parent}/page.png", "--rows", "1", "--columns", "1"],
        ["explain", "{bird}", "a bird", "-o", "{bird}", "-m", "tiny"],
        ["classify", "{bird}", "a bird", "a dog", "--plot", "{bird}", "-m", "tiny"],
        ["classify", "{bird.parent}", "--labels", "{labels}", "-o", "{labels}", "-m", "tiny"],
        ["embed", "texts", "--from", "{texts}", "-o", "{texts}", "-m", "tiny"],
        ["evaluate", "{bird.parent}", "--labels", "{labels}", "-o", "{labels}", "-m", "tiny"],
        ["classify", "{bird.parent}", "--labels", "{labels}", "--confusion", "{bird}", "-m", "tiny"],
    ],
)
def test_what_is_read_is_not_overwritten(words: list[str], run: Run, bird: Path, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    copies = [folder / "bird.png", folder / "page-2.png"]
    for copy in copies:
        copy.write_bytes(bird.read_bytes())
    labels = tmp_path / "labels.csv"
    labels.write_text("bird\ndog\n")
    texts = tmp_path / "texts.jsonl"
    texts.write_text("a bird\n")
    words = [word.format(bird=copies[0], labels=labels, texts=texts) for word in words]
    result = run(*words, stdin=str(copies[0]).encode())
    assert result.status == 2
    assert "choose another" in result.err
    assert all(copy.read_bytes() == bird.read_bytes() for copy in copies)
    assert (labels.read_text(), texts.read_text()) == ("bird\ndog\n", "a bird\n")


@pytest.mark.parametrize(
    "words",
    [
        ["map", "none.png", "-o", "{none}.html", "-m", "none.pt"],
        ["learn", "{folder}", "-o", "{none}.npz", "-m", "none.pt"],
        ["explain", "none.png", "a", "-o", "{none}.png", "-m", "none.pt"],
        ["classify", "none.png", "a", "-o", "{none}.csv", "-m", "none.pt"],
        ["evaluate", "{folder}", "-o", "{none}.csv", "-m", "none.pt"],
        ["evaluate", "{folder}", "--confusion", "{none}.png", "-m", "none.pt"],
        ["embed", "texts", "a dog", "-o", "{none}.npz", "-m", "none.pt"],
        ["sheet", "none.png", "-o", "{none}.png"],
    ],
)
def test_a_folder_that_is_not_there_is_named_before_anything_is_read(
    words: list[str], run: Run, tmp_path: Path
) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
    result = run(*(word.format(none=tmp_path / "none" / "x", folder=tmp_path) for word in words))
    assert (result.status, result.out) == (2, "")
    assert f"{tmp_path / 'none' / 'x'}" in result.err
    assert "cannot be written (No such file or directory)" in result.err
