import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import pytest

from otel_agent_eval.evaluation import (
    Description,
    Direction,
    Evaluation,
    Failed,
    Interaction,
    Label,
    Part,
    Reason,
    Scored,
    Skipped,
    Turn,
)
from otel_agent_eval.evaluation.engine import Engine
from otel_agent_eval.evaluation.jobs import Limits
from otel_agent_eval.evaluation.worker import Ending, Verdicts

DECISIONS = {"length": 10.0}


def described(name: str, **when_truncated: Label) -> Description:
    return Description(
        name=name,
        version=f"test/{name}@1",
        direction=Direction.HIGHER_IS_WORSE,
        needs=frozenset({Part.ANSWER}),
        judges_answer=True,
        evidence=(),
        threshold=0.5,
        when_truncated={Part(part): label for part, label in when_truncated.items()},
    )


@dataclass(eq=False)
class FakeWorker:
    """Scores an answer by its length in hundredths; `gate`, when closed, holds every batch back.

    A long one takes `slices` slices.
    """

    names: tuple[str, ...] = ("length",)
    slices: int = 1
    begun: tuple[str, Interaction] | None = None
    to_come: int = 0
    batches: list[tuple[str, list[str]]] = field(default_factory=list)
    gate: asyncio.Event = field(default_factory=asyncio.Event)
    at_gate: int = 0
    broken: Callable[[], list[Evaluation]] | None = None
    down: Ending | None = None

    async def start(self) -> tuple[Description, ...]:
        self.gate.set()
        return tuple(described(name, answer=Label.FAIL) for name in self.names)

    async def submit(self, name: str, batch: Sequence[Interaction]) -> Verdicts:
        self.batches.append((name, [interaction.answer for interaction in batch]))
        await asyncio.sleep(0)
        self.at_gate += 1
        await self.gate.wait()
        if self.broken is not None:
            return Verdicts(self.broken(), 0.0)
        scores = [min(len(interaction.answer) / 100, 1.0) for interaction in batch]
        return Verdicts([Scored(score=score, label=Label.PASS, threshold=0.5) for score in scores], 0.25)

    async def begin(self, name: str, interaction: Interaction) -> Verdicts | None:
        self.begun, self.to_come = (name, interaction), self.slices
        return await self.resume()

    async def resume(self) -> Verdicts | None:
        assert self.begun is not None
        self.to_come -= 1
        name, interaction = self.begun
        verdicts = await self.submit(name, [interaction])
        return verdicts if self.to_come == 0 else None

    async def ready(self) -> None:
        pass

    async def close(self) -> None:
        self.gate.set()


@asynccontextmanager
async def running(*workers: FakeWorker, **limits: float) -> AsyncIterator[Engine]:
    engine = Engine(workers, Limits(**limits))  # type: ignore[arg-type]  # a mapping of limits of both types
    await engine.start()
    try:
        yield engine
    finally:
        await engine.close()


def answer(length: int) -> Interaction:
    return Interaction(answer="a" * length)


async def test_each_interaction_gets_its_own_scores_by_its_own_thresholds() -> None:
    async with running(FakeWorker(("length", "other"))) as engine:
        jobs = [engine.evaluate(answer(n), {"length": 0.3, "other": 0.6}) for n in (20, 40, 80)]
        found = await asyncio.gather(*jobs)
    labels = [tuple(e.label.value for e in each.values() if isinstance(e, Scored)) for each in found]
    assert labels == [("pass", "pass"), ("fail", "pass"), ("fail", "fail")]
    assert [list(each) for each in found] == [["length", "other"]] * 3


async def test_what_comes_together_or_while_a_worker_is_busy_goes_as_one_batch() -> None:
    worker = FakeWorker()
    async with running(worker, batch=8) as engine:
        worker.gate.clear()
        first = [asyncio.create_task(engine.evaluate(answer(1), DECISIONS)) for _ in range(3)]
        await asyncio.sleep(0.05)
        second = [asyncio.create_task(engine.evaluate(answer(2), DECISIONS)) for _ in range(10)]
        await asyncio.sleep(0.05)
        worker.gate.set()
        await asyncio.gather(*first, *second)
    assert [len(batch) for _, batch in worker.batches] == [3, 8, 2]


async def test_a_batch_is_bounded_by_its_text_and_a_longer_one_goes_alone() -> None:
    worker = FakeWorker()
    async with running(worker, characters=1000) as engine:
        await asyncio.gather(*(engine.evaluate(answer(n), DECISIONS) for n in (400, 400, 400, 5000, 1)))
    assert [[len(text) for text in batch] for _, batch in worker.batches] == [[1, 400, 400], [5000], [400]]


async def test_short_ones_have_their_turn_between_the_slices_of_a_long_one() -> None:
    worker = FakeWorker(("length", "other"), slices=3)
    async with running(worker, characters=100, batch=1) as engine:
        worker.gate.clear()
        long = asyncio.create_task(engine.evaluate(answer(500), {"length": 0.5, "other": 0.5}))
        short = [asyncio.create_task(engine.evaluate(answer(n), DECISIONS)) for n in range(1, 9)]
        await asyncio.sleep(0.01)
        worker.gate.set()
        await asyncio.gather(long, *short)
    sizes = [len(batch[0]) for _, batch in worker.batches]
    assert sizes == [8, 500, 7, 500, 6, 500, 5, 500, 4, 500, 3, 500, 2, 1]
    assert all(isinstance(found, Scored) for found in long.result().values())


async def test_a_long_one_in_time_outranks_one_that_is_late_which_is_judged_when_nothing_else_waits() -> None:
    worker = FakeWorker(slices=20)
    late: list[int] = []
    async with running(worker, characters=100) as engine:
        worker.gate.clear()
        for _ in range(2):
            assert await engine.evaluate(answer(500), DECISIONS, 0.02, lambda *_: late.append(500)) == {
                "length": Skipped(Reason.DEADLINE)
            }
        fresh = asyncio.create_task(engine.evaluate(answer(600), DECISIONS))
        await asyncio.sleep(0.02)
        worker.gate.set()
        assert isinstance((await fresh)["length"], Scored)
        assert late == []
        while engine.waiting:  # noqa: ASYNC110 (the engine tells of no end)
            await asyncio.sleep(0.01)
    assert late == [500, 500]


async def test_a_long_one_of_which_nobody_would_hear_is_given_up() -> None:
    worker = FakeWorker(slices=1000)
    async with running(worker, characters=100) as engine:
        worker.gate.clear()
        assert await engine.evaluate(answer(500), DECISIONS, 0.02) == {"length": Skipped(Reason.DEADLINE)}
        worker.gate.set()
        await asyncio.sleep(0.05)
        assert engine.waiting == 0
    assert len(worker.batches) < 3


async def test_what_a_long_one_got_in_time_stands_and_the_rest_comes_late() -> None:
    worker = FakeWorker(("length", "other"), slices=2)
    late: dict[str, Evaluation] = {}

    async with running(worker, characters=100) as engine:
        asked = asyncio.create_task(engine.evaluate(answer(500), {"length": 0.5, "other": 0.5}, 0.1, late.__setitem__))
        while len(worker.batches) < 3:  # noqa: ASYNC110 (the worker tells of no end)
            await asyncio.sleep(0)
        worker.gate.clear()
        found = await asked
        worker.gate.set()
        await asyncio.sleep(0.05)
    assert isinstance(found["length"], Scored)
    assert found["other"] == Skipped(Reason.DEADLINE)
    assert list(late) == ["other"]


async def test_a_long_conversation_is_held_but_does_not_make_an_answer_long() -> None:
    worker = FakeWorker(slices=2)
    async with running(worker, characters=100, held=1000) as engine:
        turns = (Turn("user", "a" * 600),)
        assert isinstance((await engine.evaluate(replace(answer(1), turns=turns), DECISIONS))["length"], Scored)
        found = await engine.evaluate(replace(answer(1), turns=turns * 2), DECISIONS)
    assert found == {"length": Skipped(Reason.OVERLOADED)}
    assert len(worker.batches) == 1


async def test_more_text_than_may_be_held_is_overloaded_unless_late_ones_make_room() -> None:
    worker = FakeWorker(slices=1000)
    async with running(worker, characters=100, held=1200) as engine:
        worker.gate.clear()
        waiting = [asyncio.create_task(engine.evaluate(answer(400), DECISIONS, 0.05, lambda *_: None)) for _ in "abc"]
        await asyncio.sleep(0.02)
        assert await engine.evaluate(answer(1), DECISIONS) == {"length": Skipped(Reason.OVERLOADED)}
        await asyncio.gather(*waiting)
        fresh = asyncio.create_task(engine.evaluate(answer(800), DECISIONS, 0.01))
        assert await fresh == {"length": Skipped(Reason.DEADLINE)}
        assert engine.waiting == 1


async def test_reasons_are_answered_without_a_model() -> None:
    worker = FakeWorker(("length", "other"))
    async with running(worker) as engine:
        assert await engine.evaluate(Interaction(answer=" "), DECISIONS) == {"length": Skipped(Reason.NO_ANSWER)}
        found = await engine.evaluate(answer(1), {"length": Reason.FILTERED, "other": Reason.SAMPLED_OUT})
    assert found == {"length": Skipped(Reason.FILTERED), "other": Skipped(Reason.SAMPLED_OUT)}
    assert worker.batches == []


async def test_a_cut_answer_that_passes_is_skipped_and_one_that_fails_stands() -> None:
    cut = frozenset({Part.ANSWER})
    async with running(FakeWorker()) as engine:
        passed = await engine.evaluate(Interaction(answer="a" * 10, truncated=cut), {"length": 0.5})
        failed = await engine.evaluate(Interaction(answer="a" * 90, truncated=cut), {"length": 0.5})
    assert passed == {"length": Skipped(Reason.TRUNCATED)}
    assert isinstance(failed["length"], Scored)
    assert failed["length"].label is Label.FAIL


async def test_beyond_its_capacity_it_is_overloaded_at_once() -> None:
    worker = FakeWorker()
    async with running(worker, capacity=3, batch=1) as engine:
        worker.gate.clear()
        waiting = [asyncio.create_task(engine.evaluate(answer(1), DECISIONS)) for _ in range(3)]
        await asyncio.sleep(0.05)
        started = time.perf_counter()
        assert await engine.evaluate(answer(1), DECISIONS) == {"length": Skipped(Reason.OVERLOADED)}
        assert time.perf_counter() - started < 1
        worker.gate.set()
        assert all(isinstance(found["length"], Scored) for found in await asyncio.gather(*waiting))
        assert isinstance((await engine.evaluate(answer(1), DECISIONS))["length"], Scored)


async def test_at_its_deadline_it_answers_with_what_there_is_and_the_rest_comes_late() -> None:
    worker = FakeWorker(("length", "other"))
    late: dict[str, Evaluation] = {}
    async with running(worker) as engine:
        worker.gate.clear()
        decisions = {"length": 0.5, "other": 0.5}
        asked = asyncio.create_task(engine.evaluate(answer(1), decisions, 1, late.__setitem__))
        while not worker.at_gate:  # noqa: ASYNC110 (the worker tells of no end)
            await asyncio.sleep(0)
        worker.gate.set()
        worker.gate.clear()
        found = await asked
        assert isinstance(found["length"], Scored)
        assert found["other"] == Skipped(Reason.DEADLINE)
        assert late == {}
        worker.gate.set()
        await asyncio.sleep(0.05)
    assert list(late) == ["other"]
    assert isinstance(late["other"], Scored)


async def test_without_a_listener_nothing_is_judged_after_the_deadline() -> None:
    worker = FakeWorker()
    async with running(worker, batch=1) as engine:
        worker.gate.clear()
        busy = asyncio.create_task(engine.evaluate(answer(1), DECISIONS))
        await asyncio.sleep(0.02)
        assert await engine.evaluate(answer(2), DECISIONS, 0.05) == {"length": Skipped(Reason.DEADLINE)}
        worker.gate.set()
        await busy
        await asyncio.sleep(0.05)
        assert engine.waiting == 0
    assert worker.batches == [("length", ["a"])]


async def test_late_ones_wait_until_nothing_fresh_does_and_give_way_when_it_is_full() -> None:
    worker = FakeWorker()
    late: list[str] = []
    async with running(worker, batch=1, capacity=4) as engine:
        worker.gate.clear()
        busy = asyncio.create_task(engine.evaluate(answer(1), DECISIONS))
        await asyncio.sleep(0.02)
        expired = [engine.evaluate(answer(n), DECISIONS, 0.03, lambda *_: late.append("late")) for n in (2, 3)]
        await asyncio.gather(*expired)
        fresh = [asyncio.create_task(engine.evaluate(answer(n), DECISIONS)) for n in (4, 5)]
        await asyncio.sleep(0.02)
        worker.gate.set()
        await asyncio.gather(busy, *fresh)
        await asyncio.sleep(0.05)
    assert [len(batch[0]) for _, batch in worker.batches] == [1, 5, 4, 3]
    assert late == ["late"]


async def test_a_cancelled_interaction_is_forgotten() -> None:
    worker = FakeWorker()
    late: list[str] = []
    async with running(worker, batch=1) as engine:
        worker.gate.clear()
        tasks = [
            asyncio.create_task(engine.evaluate(answer(n), DECISIONS, 5, lambda *_: late.append("late")))
            for n in (1, 2)
        ]
        await asyncio.sleep(0.02)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        worker.gate.set()
        await asyncio.sleep(0.05)
        assert engine.waiting == 0
    assert len(worker.batches) == 1
    assert late == []


@pytest.mark.parametrize("count", [0, 5])
async def test_a_worker_that_breaks_its_contract_fails_the_batch_and_the_queue_goes_on(count: int) -> None:
    worker = FakeWorker(broken=lambda: [Failed("any")] * count)
    async with running(worker) as engine:
        assert await engine.evaluate(answer(1), DECISIONS) == {"length": Failed("ValueError")}
        worker.broken = None
        assert isinstance((await engine.evaluate(answer(1), DECISIONS))["length"], Scored)


async def test_failures_reach_every_interaction_of_the_batch() -> None:
    worker = FakeWorker(broken=lambda: [Failed("WorkerCrashed")] * 2)
    async with running(worker) as engine:
        found = await asyncio.gather(*(engine.evaluate(answer(n), DECISIONS) for n in (1, 2)))
    assert found == [{"length": Failed("WorkerCrashed")}] * 2


async def test_durations_are_told_for_each_interaction_and_a_failing_listener_stops_nothing() -> None:
    told: list[tuple[str, float]] = []

    def observe(name: str, seconds: float) -> None:
        told.append((name, seconds))
        raise RuntimeError("full")

    engine = Engine([FakeWorker()], observe=observe)
    await engine.start()
    await asyncio.gather(*(engine.evaluate(answer(n), DECISIONS) for n in (1, 2)))
    assert isinstance((await engine.evaluate(answer(1), DECISIONS))["length"], Scored)
    await engine.close()
    assert told == [("length", 0.25)] * 3


async def test_several_workers_share_one_queue() -> None:
    workers = (FakeWorker(), FakeWorker())
    async with running(*workers, batch=1) as engine:
        for worker in workers:
            worker.gate.clear()
        tasks = [asyncio.create_task(engine.evaluate(answer(n), DECISIONS)) for n in (1, 2)]
        await asyncio.sleep(0.05)
        assert [len(worker.batches) for worker in workers] == [1, 1]
        for worker in workers:
            worker.gate.set()
        await asyncio.gather(*tasks)


async def test_closing_answers_what_waits() -> None:
    worker = FakeWorker()
    engine = Engine([worker], Limits(batch=1))
    await engine.start()
    worker.gate.clear()
    tasks = [asyncio.create_task(engine.evaluate(answer(n), DECISIONS)) for n in (1, 2)]
    await asyncio.sleep(0.05)
    await engine.close()
    assert await asyncio.gather(*tasks) == [{"length": Skipped(Reason.DEADLINE)}] * 2
