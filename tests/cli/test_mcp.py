import os
import signal
import subprocess
import sys

import pytest

from tests.cli.conftest import Run


def test_without_the_package_it_says_which(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "numpyclip.dispatch.mcp_server", raising=False)
    monkeypatch.setitem(sys.modules, "mcp_types", None)
    result = run("mcp")
    assert (result.status, result.out) == (2, "")
    assert 'pip install "numpyclip[mcp]"' in result.err


@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX")
def test_the_protocol_alone_is_on_stdout_and_it_ends(run: Run) -> None:
    pytest.importorskip("mcp_types", reason="the extra numpyclip[mcp] is not installed")
    command = [sys.executable, "-m", "numpyclip", "mcp"]
    done = subprocess.run(command, input=b"nonsense\n\xff\xfe\n{}\n[]\n", capture_output=True)
    assert done.returncode == 0
    assert all(line.startswith(b'{"jsonrpc"') for line in done.stdout.splitlines())
    assert b"Traceback" not in done.stderr
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(b'{"jsonrpc": "2.0", "id": 1, "method": "ping"}\n')
        process.stdin.flush()
        assert process.stdout.readline().startswith(b'{"jsonrpc"')
        process.send_signal(signal.SIGINT)
        assert process.stderr.read().endswith(b"numpyclip: interrupted\n")
        assert process.wait() == 130
