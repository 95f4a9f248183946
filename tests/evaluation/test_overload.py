"""An engine that is offered more than it can judge still judges as much as it can."""

import asyncio
import time
from collections.abc import Sequence

from otel_agent_eval.evaluation import Interaction, Scored
from otel_agent_eval.evaluation.engine import Engine
from otel_agent_eval.evaluation.evaluation import Label
from otel_agent_eval.evaluation.evaluator import Description, Direction, Part
from otel_agent_eval.evaluation.worker import Ending, Verdicts

SECONDS_EACH, DEADLINE = 0.02, 0.3


class Slow:
    """A worker that needs the same time for every interaction, however many come together, as a model on a CPU does."""

    down: Ending | None = None

    async def start(self) -> tuple[Description, ...]:
        described = Description(
            name="slow",
            version="test/slow@1",
            direction=Direction.HIGHER_IS_BETTER,
            needs=frozenset({Part.ANSWER}),
            threshold=0.5,
            judges_answer=True,
            evidence=(),
            when_truncated={},
        )
        return (described,)

    async def submit(self, name: str, batch: Sequence[Interaction]) -> Verdicts:
        del name
        await asyncio.sleep(SECONDS_EACH * len(batch))
        score = Scored(score=1.0, label=Label.PASS, threshold=0.5)
        return Verdicts([score for _ in batch], SECONDS_EACH * len(batch))

    async def begin(self, name: str, interaction: Interaction) -> Verdicts | None:
        return await self.submit(name, [interaction])

    async def resume(self) -> Verdicts | None:
        raise AssertionError

    async def ready(self) -> None:
        pass

    async def close(self) -> None:
        pass


async def test_overload_costs_only_what_is_too_much() -> None:
    engine = Engine([Slow()])
    await engine.start()
    started = time.monotonic()
    judged = []
    while time.monotonic() - started < 1.5:  # three times what the worker can do
        judged.append(asyncio.create_task(engine.evaluate(Interaction(answer="Yes."), {"slow": 0.5}, DEADLINE)))
        await asyncio.sleep(SECONDS_EACH / 3)
    answers = await asyncio.gather(*judged)
    taken = time.monotonic() - started
    await engine.close()
    scored = sum(isinstance(answer["slow"], Scored) for answer in answers)
    assert scored > 0.6 * taken / SECONDS_EACH
