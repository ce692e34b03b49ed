import os
import signal
import threading

import pytest

from numpyclip.interrupts import deferred_interrupts, terminations_as_interrupts


def ctrl_c() -> None:
    """Interrupt, as compiled modules report it while they are imported."""
    try:
        signal.raise_signal(signal.SIGINT)
    except KeyboardInterrupt:
        raise ImportError("initialization failed") from None


def test_ctrl_c_waits_for_the_end() -> None:
    before, done = signal.getsignal(signal.SIGINT), []
    with pytest.raises(KeyboardInterrupt), deferred_interrupts():
        ctrl_c()
        ctrl_c()
        done.append(True)
    assert done
    assert signal.getsignal(signal.SIGINT) is before


def test_an_error_is_less_than_ctrl_c() -> None:
    with pytest.raises(KeyboardInterrupt), deferred_interrupts():
        ctrl_c()
        raise ImportError
    with pytest.raises(ImportError), deferred_interrupts():
        raise ImportError


def test_other_handlers_are_called_once() -> None:
    calls: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: calls.append(number))
    try:
        with deferred_interrupts():
            ctrl_c()
            ctrl_c()
            assert calls == []
    finally:
        signal.signal(signal.SIGINT, before)
    assert calls == [signal.SIGINT]


def test_other_threads_set_no_handler() -> None:
    done = []

    def work() -> None:
        with deferred_interrupts():
            done.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert done == [signal.getsignal(signal.SIGINT)]


@pytest.mark.skipif(os.name == "nt", reason="SIGTERM is Windows' own there")
def test_a_termination_is_an_interrupt() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), terminations_as_interrupts():
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before
