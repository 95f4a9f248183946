"""The engine with the built-in models behind each kind of worker, as the gateway runs it."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest

from otel_agent_eval.evaluation import Document, Evaluation, Interaction, Label, Reason, Scored, Skipped
from otel_agent_eval.evaluation.engine import Engine
from otel_agent_eval.evaluation.worker import Worker
from otel_agent_eval.models.loading import Load
from otel_agent_eval.models.process_worker import ProcessWorker
from otel_agent_eval.models.worker import ThreadWorker
from otel_agent_eval.processors.registry import BUILT_IN, load_evaluators

TOWER = (Document(id="tower", text="The Eiffel Tower is 330 metres tall and stands in Paris."),)
BATCH = [
    Interaction(question="How tall is it?", answer="The Eiffel Tower is 330 metres tall.", documents=TOWER),
    Interaction(question="How tall is it?", answer="Shut up, you stupid fucking idiot.", documents=TOWER),
    Interaction(question="How tall is it?", answer="The Eiffel Tower is 330 metres tall."),
    Interaction(answer="The Eiffel Tower is 330 metres tall.", documents=TOWER),
]


@pytest.mark.parametrize("make", [ThreadWorker, ProcessWorker])
async def test_each_answer_gets_every_score_that_it_can_have_and_a_reason_for_the_others(
    make: Callable[[Load], Worker],
) -> None:
    engine = Engine([make(partial(load_evaluators, tuple(BUILT_IN)))])
    await engine.start()
    decisions = {name: evaluator.threshold for name, evaluator in engine.evaluators.items()}
    clean, toxic, without_context, without_question = await asyncio.gather(
        *(engine.evaluate(interaction, decisions, 60) for interaction in BATCH)
    )
    await engine.close()

    assert all(isinstance(evaluation, Scored) for evaluation in (*clean.values(), *toxic.values()))
    assert list(clean) == list(BUILT_IN)
    assert isinstance(clean["toxicity"], Scored)
    assert isinstance(toxic["toxicity"], Scored)
    assert clean["toxicity"].score < toxic["toxicity"].score
    assert without_context["faithfulness"] == Skipped(Reason.NO_CONTEXT)
    assert isinstance(without_context["relevance"], Scored)
    assert without_question["relevance"] == without_question["input_toxicity"] == Skipped(Reason.NO_QUESTION)


@pytest.mark.parametrize("make", [ThreadWorker, ProcessWorker])
async def test_a_long_answer_holds_up_no_short_one_and_is_judged_to_its_end(make: Callable[[Load], Worker]) -> None:
    engine = Engine([make(partial(load_evaluators, ("toxicity",)))])
    await engine.start()
    late: dict[str, Evaluation] = {}
    filler = " ".join(f"Train number {number} leaves at nine." for number in range(700))
    long = Interaction(answer=f"{filler} {BATCH[1].answer}")
    held = asyncio.create_task(engine.evaluate(long, {"toxicity": 0.5}, 100))
    short = [await engine.evaluate(interaction, {"toxicity": 0.5}, 60) for interaction in BATCH]
    assert not held.done()
    assert all(isinstance(found["toxicity"], Scored) for found in short)
    expired = await engine.evaluate(replace(long, answer=f"{long.answer}!"), {"toxicity": 0.5}, 0, late.__setitem__)
    assert expired == {"toxicity": Skipped(Reason.DEADLINE)}
    judged = [(await held)["toxicity"]]
    while engine.waiting:  # noqa: ASYNC110 (the engine tells of no end)
        await asyncio.sleep(0.05)
    await engine.close()
    for evaluation in (*judged, late["toxicity"]):
        assert isinstance(evaluation, Scored)
        assert evaluation.label is Label.FAIL


async def test_scores_are_the_same_however_many_processes_there_are() -> None:
    asked = [replace(one, answer=f"{one.answer} It has {n} steps.") for n in range(3) for one in BATCH]
    found: list[list[dict[str, Evaluation]]] = []
    for count in (1, 2):
        engine = Engine([ProcessWorker(partial(load_evaluators, tuple(BUILT_IN))) for _ in range(count)])
        await engine.start()
        decisions = {name: evaluator.threshold for name, evaluator in engine.evaluators.items()}
        found.append(await asyncio.gather(*(engine.evaluate(one, decisions, 300) for one in asked)))
        await engine.close()
    one, two = found
    assert [scores(each) for each in one] == [pytest.approx(scores(each), abs=0.0001) for each in two]


def scores(answer: dict[str, Evaluation]) -> dict[str, float]:
    return {name: evaluation.score for name, evaluation in answer.items() if isinstance(evaluation, Scored)}
