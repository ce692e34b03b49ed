"""Metrics of several processes, whose files others may delete or damage."""

from pathlib import Path

import pytest

pytest.importorskip("prometheus_client")
pytest.importorskip("starlette")

from starlette.exceptions import HTTPException

from numpyclip.server.monitoring.prometheus import Metrics


@pytest.mark.parametrize("content", [b"", b"\x20\0\0\0" * 9, b"\x30\0\0\0\0\0\0\0\x04\0\0\0[1]]" + b"\0" * 40])
def test_damaged_files_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    metrics = Metrics()
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    assert metrics.exposition() == b""
    (tmp_path / "counter_1.db").write_bytes(content)
    with pytest.raises(HTTPException, match="were deleted or damaged; restart the server"):
        metrics.exposition()


def test_a_folder_that_is_gone_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    metrics = Metrics()
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path / "gone"))
    with pytest.raises(HTTPException, match="were deleted or damaged; restart the server"):
        metrics.exposition()
