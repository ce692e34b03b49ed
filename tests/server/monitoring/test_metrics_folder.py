"""The folder that workers share: made again, full, removed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("prometheus_client")

from numpyclip.errors import NumPyCLIPError
from numpyclip.server.monitoring.metrics_folder import MetricsFolder, allocate_metrics, remove_metrics

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no workers")

WORKER = """
import os
from numpyclip.server.monitoring.prometheus import Metrics
metrics = Metrics()
before = sorted(os.listdir(os.environ["PROMETHEUS_MULTIPROC_DIR"]))
metrics.requests.labels("/", 200).inc()
metrics.seconds.labels("/").observe(1)
metrics.embedded.labels("text").inc()
metrics.batches.labels("text").observe(1)
metrics.waiting.set(1)
assert sorted(os.listdir(os.environ["PROMETHEUS_MULTIPROC_DIR"])) == before, before
print(metrics.exposition().decode())
"""


def test_a_worker_writes_to_no_files_but_those_that_were_allocated() -> None:
    with MetricsFolder() as folder:
        environment = {**os.environ, **folder.environment(), "PYTHONPATH": os.pathsep.join(sys.path)}
        done = subprocess.run([sys.executable, "-c", WORKER], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert 'numpyclip_requests_total{route="/",status="200"} 1.0' in done.stdout


def test_it_is_made_again_and_removed() -> None:
    with MetricsFolder() as folder:
        (first,) = folder.environment().values()
        assert folder.environment() == {"PROMETHEUS_MULTIPROC_DIR": first}
        shutil.rmtree(first)
        (second,) = folder.environment().values()
        assert Path(second).stat().st_mode & 0o777 == 0o700
    assert not Path(first).exists() and not Path(second).exists()


def test_a_disk_that_is_full_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import resource

    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(NumPyCLIPError, match=r"metrics cannot be written \(File too large\).*TMPDIR"):
            allocate_metrics()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not list(tmp_path.glob("*.db"))  # half a file would be one that is damaged
    remove_metrics()
    assert not tmp_path.exists()
