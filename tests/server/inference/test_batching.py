"""Requests together: batches, fairness, limits. A model of stubs says when it computes."""

import asyncio
import threading
from collections.abc import Coroutine, Sequence
from typing import Any, cast

import numpy as np
import pytest

from numpyclip.index.records import Modality
from numpyclip.server.http.responses import OverloadedError
from numpyclip.server.inference import batching
from numpyclip.server.inference.batching import Batcher
from numpyclip.server.monitoring.prometheus import Metrics
from numpyclip.server.settings import Settings


class Slow:
    """Embeds numbers as themselves, once it is let go; keeps the batches that it was given."""

    def __init__(self) -> None:
        self.batches: list[list[Any]] = []
        self.begun = threading.Event()
        self.may_go = threading.Event()

    def embed_pixels(self, crops: Sequence[Any]) -> np.ndarray:
        self.batches.append(list(crops))
        self.begun.set()
        assert self.may_go.wait(60)
        if "broken" in crops:
            raise ValueError("broken")
        return np.array([[float(crop)] for crop in crops], np.float32)

    def encode_text(self, ids: np.ndarray, *, normalize: bool) -> np.ndarray:
        assert normalize
        return self.embed_pixels(ids.tolist())


def run(main: Coroutine[Any, Any, None]) -> None:
    asyncio.run(main)


def batcher(model: Slow, **settings: Any) -> Batcher:
    return Batcher(cast(Any, model), Settings(**{"batch_size": 4, **settings}), Metrics())


async def embed(queue: Batcher, modality: Modality, items: Sequence[Any]) -> np.ndarray:
    with queue.admit(modality, len(items)) as embed:
        return await embed(items)


async def begun(model: Slow) -> None:
    await asyncio.to_thread(model.begun.wait, 60)


def test_what_arrives_while_the_model_is_busy_is_computed_together() -> None:
    async def main() -> None:
        model = Slow()
        async with batcher(model) as queue:
            first = asyncio.create_task(embed(queue, "pictures", [0]))
            await begun(model)
            others = [asyncio.create_task(embed(queue, "pictures", [n])) for n in (1, 2, 3)]
            await asyncio.sleep(0)
            model.may_go.set()
            assert [float((await task)[0, 0]) for task in (first, *others)] == [0, 1, 2, 3]
        assert model.batches == [[0], [1, 2, 3]]

    run(main())


def test_requests_are_cut_where_a_batch_is_full_and_put_together_again() -> None:
    async def main() -> None:
        model = Slow()
        model.may_go.set()
        async with batcher(model) as queue:
            rows = await asyncio.gather(embed(queue, "pictures", range(6)), embed(queue, "pictures", range(6, 12)))
        assert [row[:, 0].tolist() for row in rows] == [list(range(6)), list(range(6, 12))]
        assert [len(batch) for batch in model.batches] == [4, 4, 4]

    run(main())


def test_many_pictures_do_not_hold_up_a_text() -> None:
    async def main() -> None:
        model = Slow()
        async with batcher(model) as queue:
            pictures = asyncio.create_task(embed(queue, "pictures", range(40)))
            await begun(model)
            text = asyncio.create_task(embed(queue, "texts", [100]))
            await asyncio.sleep(0)
            model.may_go.set()
            await asyncio.gather(text, pictures)
        assert model.batches[1] == [100]

    run(main())


def test_when_too_many_wait_requests_are_rejected() -> None:
    async def main() -> None:
        queue = batcher(Slow(), max_waiting=3)
        with queue.admit("texts", 2), queue.admit("texts", 9):  # admitted in full
            with pytest.raises(OverloadedError, match="11 inputs are waiting") as caught, queue.admit("texts", 1):
                pass
            assert caught.value.status_code == 429
            assert caught.value.headers is not None and int(caught.value.headers["Retry-After"]) >= 1
        with queue.admit("texts", 1):
            pass

    run(main())


def test_a_request_that_has_ended_is_not_computed() -> None:
    async def main() -> None:
        model = Slow()
        async with batcher(model) as queue:
            first = asyncio.create_task(embed(queue, "pictures", [0]))
            await begun(model)
            second = asyncio.create_task(embed(queue, "pictures", [1]))
            await asyncio.sleep(0)
            second.cancel()
            await asyncio.wait([second])
            model.may_go.set()
            await first
            assert float((await embed(queue, "pictures", [2]))[0, 0]) == 2
        assert model.batches == [[0], [2]]

    run(main())


def test_what_is_being_decoded_is_waited_for_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "_MAX_DECODE_WAIT", 60)

    async def main() -> None:
        model = Slow()
        model.may_go.set()
        async with batcher(model) as queue:
            with queue.admit("pictures", 1) as late:
                first = asyncio.create_task(embed(queue, "pictures", [0]))
                for _ in range(10):
                    await asyncio.sleep(0)
                assert not model.batches
                assert float((await late([1]))[0, 0]) == 1
            assert float((await first)[0, 0]) == 0
            with queue.admit("pictures", 1):  # it cannot be read, and comes never
                second = asyncio.create_task(embed(queue, "pictures", [2]))
                await asyncio.sleep(0)
            assert float((await second)[0, 0]) == 2
            with queue.admit("pictures", 1):  # a whole batch waits for nobody
                assert len(await embed(queue, "pictures", range(4))) == 4
        assert model.batches == [[0, 1], [2], [0, 1, 2, 3]]

    run(main())


def test_nobody_is_waited_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "_MAX_DECODE_WAIT", 0.01)

    async def main() -> None:
        model = Slow()
        model.may_go.set()
        async with batcher(model) as queue:
            with queue.admit("pictures", 1):
                assert float((await embed(queue, "pictures", [3]))[0, 0]) == 3

    run(main())


def test_an_error_reaches_those_of_its_batch_and_no_others() -> None:
    async def main() -> None:
        model = Slow()
        model.may_go.set()
        async with batcher(model) as queue:
            with pytest.raises(ValueError, match="broken"):
                await embed(queue, "pictures", ["broken"])
            assert float((await embed(queue, "pictures", [5]))[0, 0]) == 5

    run(main())


def test_at_the_end_those_that_wait_are_rejected() -> None:
    async def main() -> None:
        model = Slow()
        async with batcher(model) as queue:
            first = asyncio.create_task(embed(queue, "pictures", [0]))
            await begun(model)
            second = asyncio.create_task(embed(queue, "pictures", [1]))
            await asyncio.sleep(0)
            model.may_go.set()
        assert float((await first)[0, 0]) == 0  # its batch was being computed
        with pytest.raises(OverloadedError, match="shutting down"):
            await second

    run(main())
