"""With more work than can be done in time the least important evaluations are left out first, the oldest first.

Nothing here depends on how fast anything is: what an evaluator costs is what the fake worker says.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_agent_eval.evaluation import Description, Direction, Evaluation, Failed, Interaction, Label, Part, Scored
from otel_agent_eval.evaluation.costs import Costs
from otel_agent_eval.evaluation.engine import Engine
from otel_agent_eval.evaluation.evaluation import Reason, Skipped
from otel_agent_eval.evaluation.job import Job
from otel_agent_eval.evaluation.jobs import Jobs, Limits
from otel_agent_eval.evaluation.worker import Ending, Verdicts

ORDER = ("toxicity", "faithfulness", "relevance")
DECISIONS = dict.fromkeys(reversed(ORDER), 0.5)
ANSWER = Interaction(answer="a" * 800)
WORK = 1000  # of this answer, in characters
OVERLOADED = Skipped(Reason.OVERLOADED)


def seconds_each(**seconds: float) -> Costs:
    costs = Costs()
    for name, each in seconds.items():
        for _ in range(3):
            costs.learn(name, WORK, each)
    return costs


async def admitted(jobs: Jobs, count: int, workers: int = 1) -> list[Job]:
    """Admit so many jobs, each as the engine does, while no worker takes any."""
    loop = asyncio.get_running_loop()
    made = [Job(ANSWER, dict.fromkeys(ORDER, 0.5), None, loop.create_future()) for _ in range(count)]
    for job in made:
        assert jobs.admit(job)
        jobs.shed(workers)
    return made


def planned(patience: float, **seconds: float) -> Jobs:
    return Jobs(Limits(patience=patience), ORDER, seconds_each(**seconds))


async def test_what_fits_is_not_shed() -> None:
    jobs = planned(10.0, toxicity=0.1, faithfulness=0.5, relevance=0.2)
    assert not any(job.shed for job in await admitted(jobs, 10))
    assert jobs.backlog == pytest.approx(8.0)


async def test_the_least_important_of_the_oldest_is_shed_first_and_no_more_than_must_be() -> None:
    jobs = planned(10.0, toxicity=0.1, faithfulness=0.5, relevance=0.2)
    made = await admitted(jobs, 12)
    assert [sorted(job.shed) for job in made] == [["relevance"]] * 8 + [[]] * 4
    assert jobs.backlog <= 8.0


async def test_the_most_important_is_shed_last_and_never_that_of_the_newest() -> None:
    jobs = planned(1.0, toxicity=0.1, faithfulness=0.5, relevance=0.2)
    made = await admitted(jobs, 20)
    shed = Counter(name for job in made for name in job.shed)
    assert shed == {"toxicity": 12, "faithfulness": 20, "relevance": 20}
    assert [job.done.done() for job in made] == [True] * 12 + [False] * 8
    jobs = planned(0.0, toxicity=0.1, faithfulness=0.5, relevance=0.2)
    *older, newest = await admitted(jobs, 3)
    assert all(job.shed == {"toxicity", "faithfulness", "relevance"} for job in older)
    assert newest.shed == {"faithfulness", "relevance"}


async def test_what_has_not_been_measured_is_left_out_in_its_turn() -> None:
    jobs = planned(1.0, toxicity=0.1, faithfulness=0.5)
    made = await admitted(jobs, 12)
    shed = Counter(name for job in made for name in job.shed)
    assert shed == {"toxicity": 4, "faithfulness": 12, "relevance": 12}


async def test_several_workers_do_more_in_time() -> None:
    for workers, shed in ((1, 12), (2, 4)):
        jobs = planned(1.0, toxicity=0.1)
        made = await admitted(jobs, 20, workers)
        assert sum("toxicity" in job.shed for job in made) == shed


async def test_nothing_is_shed_before_anything_was_measured_or_without_a_deadline() -> None:
    assert not any(job.shed for job in await admitted(planned(1.0), 50))
    jobs = Jobs(Limits(), ORDER, seconds_each(toxicity=100.0))
    assert not any(job.shed for job in await admitted(jobs, 50))


async def test_when_pressed_the_most_important_goes_first_for_all_and_else_one_answer_after_the_other() -> None:
    for patience, pressed in ((100.0, False), (12.0, True)):
        jobs = planned(patience, toxicity=0.1, faithfulness=0.5, relevance=0.2)
        made = await admitted(jobs, 6)
        assert jobs.pressed(1) is pressed
        first, second = jobs.next_batch(None, 1), jobs.next_batch(None, 1)
        assert [job.number for job in (*first, *second)] == [6, 5, 4, 3, 2, 1]
        for job in first:
            job.results["toxicity"] = Scored(score=0.0, label=Label.PASS, threshold=0.5)
            jobs.give_back(job)
        jobs.give_back(made[0])
        assert [job.number for job in jobs.next_batch(None, 1)] == ([1] if pressed else [6, 5, 4, 3])


async def test_a_batch_leaves_something_for_the_other_workers() -> None:
    jobs = planned(100.0)
    await admitted(jobs, 4)
    assert [len(jobs.next_batch(None, 2)) for _ in range(3)] == [2, 1, 1]


async def test_what_is_late_gives_way_to_what_somebody_waits_for() -> None:
    jobs = planned(100.0)
    (late,) = await admitted(jobs, 1)
    late.late = lambda *_: None
    jobs.leave(late)
    batch = jobs.next_batch(None, 1)
    assert batch == [late]
    assert not jobs.outranked(batch, 1)
    fresh = await admitted(jobs, 1)
    assert jobs.outranked(batch, 1)
    assert not jobs.outranked([late, *fresh], 1)
    jobs.give_back(late)
    assert jobs.next_batch(None, 1) == fresh


def test_costs_follow_what_is_measured() -> None:
    costs = Costs()
    assert costs.seconds("toxicity", WORK) == 0.0
    for _ in range(3):
        costs.learn("toxicity", WORK, 1.0)
    assert costs.seconds("toxicity", 2 * WORK) == pytest.approx(2.0)
    for _ in range(9):
        costs.learn("toxicity", WORK, 3.0)
    assert costs.seconds("toxicity", WORK) == pytest.approx(3.0)


def test_a_single_stall_does_not_make_everything_look_too_much() -> None:
    costs = Costs()
    costs.learn("toxicity", WORK, 60.0)
    assert costs.seconds("toxicity", WORK) == 0.0
    for _ in range(2):
        costs.learn("toxicity", WORK, 1.0)
    costs.learn("toxicity", WORK, 60.0)
    costs.learn("toxicity", WORK, 1.0)
    assert costs.seconds("toxicity", WORK) == pytest.approx(1.0)


class Told:
    """A worker that says that toxicity takes 0.1 s an answer, faithfulness 0.5 s and relevance 0.2 s."""

    def __init__(self) -> None:
        self.down: Ending | None = None
        self.back = asyncio.Event()
        self.gate = asyncio.Event()
        self.batches: list[tuple[str, int]] = []

    async def start(self) -> tuple[Description, ...]:
        self.gate.set()
        return tuple(
            Description(
                name=name,
                version=f"test/{name}@1",
                direction=Direction.HIGHER_IS_WORSE,
                needs=frozenset({Part.ANSWER}),
                judges_answer=True,
                evidence=(),
                threshold=0.5,
            )
            for name in ORDER
        )

    async def ready(self) -> None:
        if self.down is not None:
            await self.back.wait()

    async def submit(self, name: str, batch: Sequence[Interaction]) -> Verdicts:
        self.batches.append((name, len(batch)))
        await self.gate.wait()
        each = {"toxicity": 0.1, "faithfulness": 0.5, "relevance": 0.2}[name]
        return Verdicts([Scored(score=0.1, label=Label.PASS, threshold=0.5) for _ in batch], each * len(batch))

    async def begin(self, name: str, interaction: Interaction) -> Verdicts | None:
        return await self.submit(name, [interaction])

    async def resume(self) -> Verdicts | None:
        raise AssertionError

    async def close(self) -> None:
        self.gate.set()


@asynccontextmanager
async def running(worker: Told, patience: float) -> AsyncIterator[Engine]:
    engine = Engine([worker], Limits(patience=patience, batch=2), order=ORDER)
    await engine.start()
    for _ in range(3):  # then all have been measured
        assert OVERLOADED not in (await engine.evaluate(ANSWER, DECISIONS)).values()
    worker.gate.clear()
    worker.batches.clear()
    try:
        yield engine
    finally:
        await engine.close()


async def taken(worker: Told) -> None:
    """Wait until the worker has taken something, which it is held back from."""
    while not worker.batches:  # noqa: ASYNC110 (the worker tells of no end)
        await asyncio.sleep(0)


async def test_what_is_shed_is_overloaded_at_once_and_still_judged_when_there_is_time() -> None:
    worker = Told()
    late: list[tuple[int, str]] = []
    async with running(worker, patience=2.05) as engine:
        busy = asyncio.create_task(engine.evaluate(ANSWER, DECISIONS))
        await taken(worker)

        def tell(n: int, name: str, _: Evaluation) -> None:
            late.append((n, name))

        asked = [asyncio.create_task(engine.evaluate(ANSWER, DECISIONS, 60, partial(tell, n))) for n in range(20)]
        await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        at_once = [n for n, task in enumerate(asked) if task.done()]
        assert at_once == list(range(4))  # 16 times 0.1 s can be done in four fifths of 2.05 s
        assert all(asked[n].result() == dict.fromkeys(DECISIONS, OVERLOADED) for n in at_once)
        worker.gate.set()
        found = await asyncio.gather(busy, *asked)
        while engine.waiting:  # noqa: ASYNC110 (the engine tells of no end)
            await asyncio.sleep(0.01)
    assert isinstance(found[0]["toxicity"], Scored)
    outcomes = Counter((name, evaluation == OVERLOADED) for answer in found[1:] for name, evaluation in answer.items())
    assert outcomes["toxicity", True] == 4
    assert outcomes["relevance", True] == 20
    assert outcomes["faithfulness", True] >= 18
    shed = [(n, name) for n, answer in enumerate(found[1:]) for name, one in answer.items() if one == OVERLOADED]
    assert sorted(late) == sorted(shed)


async def test_the_same_answers_are_shed_whatever_the_order_of_the_decisions() -> None:
    for order in (ORDER, tuple(reversed(ORDER))):
        worker = Told()
        async with running(worker, patience=2.0) as engine:
            decisions = dict.fromkeys(order, 0.5)
            asked = [asyncio.create_task(engine.evaluate(ANSWER, decisions, 60)) for _ in range(8)]
            await taken(worker)
            worker.gate.set()
            found = await asyncio.gather(*asked)
        assert all(list(answer) == list(order) for answer in found)
        assert all(isinstance(answer["toxicity"], Scored) for answer in found)
        assert sum(answer["relevance"] == OVERLOADED for answer in found) > 0
        assert worker.batches[1:4] == [("toxicity", 2)] * 3


async def test_while_no_worker_is_up_answers_have_failed_at_their_deadline_and_are_judged_when_one_is() -> None:
    worker = Told()
    late: dict[str, Evaluation] = {}
    async with running(worker, patience=60.0) as engine:
        worker.gate.set()
        worker.down = Ending.KILLED
        await engine.evaluate(ANSWER, DECISIONS)  # what the worker had asked for before it went
        assert engine.up == 0
        found = await engine.evaluate(ANSWER, DECISIONS, 0.05, late.__setitem__)
        assert found == dict.fromkeys(DECISIONS, Failed("WorkerKilled"))
        assert late == {}
        worker.down = None
        worker.back.set()
        while engine.waiting:  # noqa: ASYNC110 (the engine tells of no end)
            await asyncio.sleep(0.01)
    assert late.keys() == DECISIONS.keys()


class Slow(Told):
    """A worker whose answers come later than the models need."""

    async def submit(self, name: str, batch: Sequence[Interaction]) -> Verdicts:
        await asyncio.sleep(0.05)
        return replace(await super().submit(name, batch), seconds=0.001)


async def test_planned_is_with_the_time_until_the_answer_and_not_only_with_that_of_the_models() -> None:
    async with running(Slow(), patience=60.0) as engine:
        assert all(engine._jobs.costs.seconds(name, WORK) >= 0.05 for name in ORDER)


async def test_what_expires_while_a_worker_says_nothing_for_too_long_has_failed() -> None:
    worker = Told()
    worker_silence = 0.3
    engine = Engine([worker], Limits(batch=1), silence=worker_silence)
    await engine.start()
    worker.gate.clear()
    first = asyncio.create_task(engine.evaluate(ANSWER, DECISIONS, worker_silence / 10))
    assert await first == dict.fromkeys(DECISIONS, Skipped(Reason.DEADLINE))
    assert engine.up == 1
    assert await engine.evaluate(ANSWER, DECISIONS, worker_silence) == dict.fromkeys(DECISIONS, Failed("WorkerStuck"))
    assert engine.up == 0
    worker.gate.set()
    assert all(isinstance(one, Scored) for one in (await engine.evaluate(ANSWER, DECISIONS)).values())
    assert engine.up == 1
    await engine.close()


async def test_what_is_to_be_judged_late_can_be_forgotten() -> None:
    worker = Told()
    late: list[str] = []
    async with running(worker, patience=60.0) as engine:
        busy = asyncio.create_task(engine.evaluate(ANSWER, DECISIONS))
        await taken(worker)
        found = await engine.evaluate(ANSWER, DECISIONS, 0, lambda name, _: late.append(name))
        assert found == dict.fromkeys(DECISIONS, Skipped(Reason.DEADLINE))
        assert engine.waiting == 2
        engine.forget_late()
        assert engine.waiting == 1
        worker.gate.set()
        await busy
    assert late == []


class Step(NamedTuple):
    """Something that happens to the queue: what, and to which of what is there."""

    what: str
    which: int


STEPS = st.builds(
    Step, st.sampled_from(["admit", "admit", "long", "take", "judge", "give_back", "leave", "late"]), st.integers(0, 50)
)


@given(st.lists(STEPS, max_size=80), st.floats(0.0, 5.0), st.integers(1, 3))
def test_whatever_happens_the_books_are_right_and_nothing_is_left_behind(
    steps: list[Step], patience: float, workers: int
) -> None:
    asyncio.run(happen(steps, patience, workers))


async def happen(steps: list[Step], patience: float, workers: int) -> None:
    jobs = Jobs(Limits(patience=patience, capacity=10), ORDER, seconds_each(toxicity=0.1, faithfulness=0.5))
    there: list[Job] = []
    taken: list[Job] = []
    for what, which in steps:
        if what in {"admit", "long"}:
            there += arriving(jobs, ANSWER if what == "admit" else Interaction(answer="a" * 30_000), workers)
        elif what == "take":
            batch = jobs.next_batch(None, workers)
            long = jobs.next_long(None) if not batch else None
            taken += [*batch, *([long] if long else [])]
        elif what in {"judge", "give_back"} and taken:
            give(jobs, taken, which, judged=what == "judge")
        elif what in {"leave", "late"} and there:
            job = there.pop(which % len(there))
            job.late = (lambda *_: None) if what == "late" else None
            jobs.leave(job)
        check_books(jobs)
    for job in taken:
        jobs.give_back(job)
    for job in there:
        jobs.leave(job)
    jobs.forget_late()
    check_books(jobs)
    assert len(jobs) == 0
    assert jobs.backlog == 0.0
    assert jobs._held == 0


def arriving(jobs: Jobs, interaction: Interaction, workers: int) -> list[Job]:
    job = Job(interaction, dict.fromkeys(ORDER, 0.5), None, asyncio.get_running_loop().create_future())
    admitted = jobs.admit(job)
    jobs.shed(workers)
    return [job] if admitted else []


def give(jobs: Jobs, taken: list[Job], which: int, *, judged: bool) -> None:
    """Judge one of the jobs that were taken by the next of its evaluators, or give it back."""
    job = taken[which % len(taken)]
    if not judged:
        taken.remove(job)
        jobs.give_back(job)
    elif job.todo:
        job.results[job.todo[0]] = Scored(score=0.1, label=Label.PASS, threshold=0.5)


def check_books(jobs: Jobs) -> None:
    waiting = Counter[str]()
    for job in jobs._short.fresh:
        assert job.todo
        assert not job.left
        assert not job.in_work
        waiting.update(dict.fromkeys(job.todo, job.work))
    assert +jobs._waiting == waiting
    assert jobs._held == sum(job.held for job in jobs._all)
