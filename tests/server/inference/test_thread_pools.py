"""Threads that end while they are stopped."""

import asyncio
import threading
from concurrent.futures import Future
from functools import partial
from typing import Any

import pytest

from numpyclip.server.inference.thread_pools import ThreadPools


def _tell(ended: threading.Event, _: object) -> None:
    ended.set()


def test_they_may_end_while_they_are_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    may_end, wrap = threading.Event(), asyncio.wrap_future

    def wrap_when_all_have_ended(future: Future[Any]) -> Any:
        may_end.set()
        for ended in all_ended:
            assert ended.wait(60)
        return wrap(future)

    async def stop() -> bool:
        pools = ThreadPools()
        pools.start()
        for ended in all_ended:
            pools.submit(may_end.wait, 60).add_done_callback(partial(_tell, ended))  # after the one of the pools
        monkeypatch.setattr(asyncio, "wrap_future", wrap_when_all_have_ended)
        return await pools.stop()

    all_ended = [threading.Event() for _ in range(3)]
    assert asyncio.run(stop())
