"""A service that sends far too many answers loses scores of its own, not those of others."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_agent_eval.evaluation import Description, Direction, Evaluation, Interaction, Label, Part, Scored
from otel_agent_eval.evaluation.costs import Costs
from otel_agent_eval.evaluation.engine import Engine
from otel_agent_eval.evaluation.evaluation import Reason, Skipped
from otel_agent_eval.evaluation.job import Job
from otel_agent_eval.evaluation.jobs import Jobs, Limits
from otel_agent_eval.evaluation.shares import Shares, most_first
from otel_agent_eval.evaluation.worker import Ending, Verdicts

ORDER = ("toxicity", "relevance")
SERVICES = ("a", "b", "small", "loud", "quiet", "many", "large", "other")
WORK = 1000
SCORED = Scored(score=0.0, label=Label.PASS, threshold=0.5)
OVERLOADED = Skipped(Reason.OVERLOADED)


def job(service: str, number: int = 0, work: int = WORK) -> Job:
    interaction = Interaction(answer="a" * (work - 200), service=service)
    made = Job(interaction, dict.fromkeys(ORDER, 0.5), None, asyncio.get_running_loop().create_future())
    made.number, made.share = number, service
    return made


def known(*names: str) -> Shares:
    """Shares to which these services are no longer new; all others are, and stay so."""
    times = iter([0.0] * len(names))
    shares = Shares(lambda: next(times, 10.0))
    for name in names:
        shares.enter(job(name))
    return shares


def entered(shares: Shares, service: str, number: int = 0, work: int = WORK) -> Job:
    made = job(service, number, work)
    shares.enter(made)
    return made


def charge(shares: Shares, alone: Job) -> None:
    """Let a job have its turn while nobody else waits."""
    shares.charge([alone], [alone])


def planned(patience: float, limits: Limits | None = None) -> Jobs:
    """Toxicity takes 0.1 s an answer, relevance 0.2 s."""
    costs = Costs()
    for name, seconds in (("toxicity", 0.1), ("relevance", 0.2)):
        for _ in range(3):
            costs.learn(name, WORK, seconds)
    return Jobs(limits or Limits(patience=patience), ORDER, costs, known(*SERVICES))


def services(jobs: Iterator[Job]) -> str:
    return "".join(one.interaction.service for one in jobs)


async def test_services_take_turns_and_of_each_the_newest_goes_first() -> None:
    jobs = [job("a", number) for number in range(5)] + [job("b", number) for number in range(5, 8)]
    turns = list(Shares().in_turn(jobs))
    assert services(iter(turns)) == "abababaa"
    assert [one.number for one in turns] == [4, 7, 3, 6, 2, 5, 1, 0]


async def test_turns_go_by_work_not_by_number() -> None:
    jobs = [job("a", number, 3 * WORK) for number in range(3)] + [job("b", number) for number in range(3, 9)]
    assert services(Shares().in_turn(jobs)) == "abbbabbba"


async def test_who_had_a_turn_waits_for_the_others_but_nobody_saves_up() -> None:
    shares = known("a", "b", "c")
    for number in range(10):
        charge(shares, job("a", number))
    assert services(shares.in_turn([entered(shares, "b", 11), entered(shares, "a", 12)])) == "ba"
    for number in range(5):
        charge(shares, job("c", number))  # while "b" has nothing
    waiting = [entered(shares, "b", number) for number in range(20, 24)] + [entered(shares, "c", 30)]
    assert services(shares.in_turn(waiting)).index("c") < 2


@pytest.mark.parametrize(("names", "new"), [(1, False), (20, False), (100, False), (20, True), (10_000, True)])
async def test_who_has_many_names_gets_no_more_than_each_of_those_who_wait(names: int, new: bool) -> None:
    """Twenty jobs of the many names and three of the steady service wait at all times, and one of them goes."""
    shares = known("steady", *(f"one-of-many-{number}" for number in range(0 if new else names)))
    waiting = [entered(shares, "steady", number) for number in range(3)]
    turns: Counter[str] = Counter()
    for number in range(3, 3003):
        while len(waiting) < 23:
            waiting.append(entered(shares, f"one-of-many-{number % names}", number))
        chosen = next(shares.in_turn(waiting))
        shares.charge([chosen], waiting)
        waiting.remove(chosen)
        turns[chosen.interaction.service] += 1
        if chosen.interaction.service == "steady":
            waiting.append(entered(shares, "steady", number))
    competitors = 1 if new else min(names, 20)
    assert turns["steady"] == pytest.approx(3000 / (competitors + 1), rel=0.2)


async def test_made_up_names_take_no_memory_and_wipe_out_no_debt() -> None:
    shares = known("loud", "b")
    waiting = [entered(shares, "loud", number) for number in range(2000)]
    shares.charge(waiting[:1000], waiting)
    shares.charge(waiting[1000:], [*waiting, *(job(f"made-up-{number}") for number in range(100))])
    for number in range(4500):
        charge(shares, job(f"service-{number}", work=200))
        shares.enter(job(f"service-{number}"))
        shares.enter(job("loud"))
        assert max(len(shares._due), len(shares._seen)) <= 4096
    forgotten, loud, last = (entered(shares, name) for name in ("b", "loud", "service-4499"))
    assert [forgotten.share, loud.share, last.share] == ["", "loud", ""]
    assert services(shares.in_turn([loud, forgotten])) == "bloud"
    assert {"loud", "service-4499"} <= shares._seen.keys()


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(200, 5000)), max_size=30))
def test_all_are_yielded_once(made: list[tuple[str, int]]) -> None:
    async def check() -> None:
        jobs = [job(service, number, work) for number, (service, work) in enumerate(made)]
        assert set(Shares().in_turn(jobs)) == set(most_first(jobs, lambda one: one.work)) == set(jobs)

    asyncio.run(check())


async def test_who_has_most_is_left_out_first_and_the_oldest_of_it() -> None:
    jobs = [job("a", 0), job("b", 1, 1500), *(job("a", number) for number in range(2, 5))]
    assert [one.number for one in most_first(jobs, lambda one: one.work)] == [0, 2, 3, 1, 4]


async def test_a_flood_of_one_service_leaves_the_scores_of_another_alone() -> None:
    jobs = planned(2.05)
    quiet = job("quiet")
    assert jobs.admit(quiet)
    loud = [job("loud") for _ in range(40)]
    for one in loud:
        assert jobs.admit(one)
        jobs.shed(1)
    shed = Counter(name for one in loud for name in one.shed)
    assert not quiet.shed & {"toxicity"}
    assert shed == {"relevance": 40, "toxicity": 25}  # 1.64 s are planned with: 16 times toxicity
    assert "quiet" in {one.interaction.service for one in jobs.next_batch(None, 1)}


async def test_each_of_two_floods_gets_half_and_a_small_service_all() -> None:
    """Sixteen answers come for each four that can be judged, and wait for three rounds."""
    jobs = planned(1.5)
    offered: Counter[str] = Counter()
    scored: Counter[str] = Counter()
    rounds: list[list[Job]] = []
    for number in range(200):
        arrived = [job("a") for _ in range(9)] + [job("b") for _ in range(6)]
        arrived += [job("small")] if number % 2 else []
        for one in arrived:
            assert jobs.admit(one)
            jobs.shed(1)
        offered.update(one.interaction.service for one in arrived)
        rounds.append(arrived)
        for one in jobs.next_batch(None, 1):
            one.results["toxicity"] = SCORED
            scored[one.interaction.service] += 1
            jobs.give_back(one)
        if len(rounds) == 3:
            for one in rounds.pop(0):
                jobs.leave(one)
    assert scored["small"] == offered["small"] == 100
    assert scored["a"] == pytest.approx(350, abs=20)
    assert scored["b"] == pytest.approx(350, abs=20)


async def test_a_service_that_fills_the_room_makes_way_for_others_and_not_they_for_it() -> None:
    jobs = planned(100.0, Limits(capacity=4))
    loud = [job("loud") for _ in range(4)]
    assert all(jobs.admit(one) for one in loud)
    quiet = job("quiet")
    assert jobs.admit(quiet)
    assert [one.done.done() for one in loud] == [True, False, False, False]
    assert loud[0].shed == set(ORDER)
    jobs.leave(loud[0])  # as who waited for it does
    assert not jobs.admit(job("loud"))
    assert not quiet.done.done()
    assert len(jobs) == 4


async def test_room_is_made_by_what_jobs_hold_and_not_by_what_is_in_work() -> None:
    jobs = planned(100.0, Limits(held=10 * WORK))
    in_work, waiting = job("loud", work=4 * WORK), job("loud", work=5 * WORK)
    assert jobs.admit(in_work)
    assert jobs.next_batch(None, 1) == [in_work]
    assert jobs.admit(waiting)
    large = job("other", work=7 * WORK)
    assert not jobs.admit(large)
    assert not waiting.done.done()  # nobody is left out for what has no room all the same
    assert jobs.admit(job("other", work=3 * WORK))
    assert waiting.done.done()


async def test_nobody_is_left_out_for_what_has_no_room_in_the_end() -> None:
    jobs = planned(100.0, Limits(capacity=3, held=10 * WORK))
    waiting = [job("loud"), job("loud"), job("quiet", work=4 * WORK)]
    assert all(jobs.admit(one) for one in waiting)
    late = jobs.next_batch(None, 1)[0]
    late.late = lambda *_: None
    jobs.leave(late)
    jobs.give_back(late)
    assert not jobs.admit(job("new", work=11 * WORK))  # more than may be held at all
    assert not jobs.admit(job("new", work=9 * WORK))  # room for it would cost the new one itself
    assert not any(one.done.done() for one in waiting)
    assert len(jobs) == 2  # what was late made room all the same


async def test_who_holds_most_text_makes_room_where_text_is_what_there_is_too_much_of() -> None:
    jobs = planned(100.0, Limits(held=10 * WORK))
    many, large = [job("many", work=WORK) for _ in range(3)], job("large", work=6 * WORK)
    assert all(jobs.admit(one) for one in [*many, large])
    assert jobs.admit(job("new", work=3 * WORK))
    assert large.done.done()
    assert not any(one.done.done() for one in many)


async def test_services_take_turns_with_long_texts_too() -> None:
    jobs = planned(1000.0, Limits(characters=WORK))
    for _ in range(6):
        assert jobs.admit(job("loud", work=5 * WORK))
    assert jobs.admit(job("quiet", work=5 * WORK))
    assert jobs.admit(job("loud", work=5 * WORK))
    turns = []
    for _ in range(3):
        chosen = jobs.next_long(None)
        assert chosen is not None
        turns.append(chosen.interaction.service)
    assert turns == ["loud", "quiet", "loud"]


class Deaf:
    """A worker that takes its first batch and does not answer before it is closed."""

    def __init__(self) -> None:
        self.down: Ending | None = None
        self.closed = asyncio.Event()

    async def start(self) -> tuple[Description, ...]:
        described = Description(
            name="toxicity",
            version="test/toxicity@1",
            direction=Direction.HIGHER_IS_WORSE,
            needs=frozenset({Part.ANSWER}),
            judges_answer=True,
            evidence=(),
            threshold=0.5,
        )
        return (described,)

    async def ready(self) -> None:
        pass

    async def submit(self, name: str, batch: Sequence[Interaction]) -> Verdicts:
        del name
        await self.closed.wait()
        return Verdicts([SCORED for _ in batch], 0.1)

    async def begin(self, name: str, interaction: Interaction) -> Verdicts | None:
        return await self.submit(name, [interaction])

    async def resume(self) -> Verdicts | None:
        raise AssertionError

    async def close(self) -> None:
        self.closed.set()


async def test_who_had_to_make_room_is_told_so_at_once_and_never_scored_late() -> None:
    engine = Engine([Deaf()], Limits(capacity=2, batch=1))
    engine._jobs = Jobs(Limits(capacity=2, batch=1), shares=known("loud", "quiet"))
    await engine.start()
    late: list[tuple[str, Evaluation]] = []

    def answer(service: str) -> asyncio.Task[dict[str, Evaluation]]:
        interaction = Interaction(answer="Yes.", service=service)
        return asyncio.create_task(
            engine.evaluate(interaction, {"toxicity": 0.5}, 5.0, lambda *said: late.append(said))
        )

    in_work = answer("loud")
    await asyncio.sleep(0.05)  # until the worker has it
    waiting = answer("loud")
    await asyncio.sleep(0)
    quiet = answer("quiet")
    assert await waiting == {"toxicity": OVERLOADED}
    assert engine.waiting == 2
    await engine.close()
    await asyncio.gather(in_work, quiet)
    assert not late
