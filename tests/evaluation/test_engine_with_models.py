"""The engine with the built-in models behind each kind of worker, as the gateway runs it."""

import asyncio
from collections.abc import Callable
from functools import partial

import pytest

from otel_agent_eval.evaluation import Document, Interaction, Reason, Scored, Skipped
from otel_agent_eval.evaluation.engine import Engine
from otel_agent_eval.evaluation.worker import Worker
from otel_agent_eval.models.worker import Load, ProcessWorker, ThreadWorker
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
