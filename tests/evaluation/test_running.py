from collections.abc import Callable, Sequence
from typing import Any

import pytest

from otel_agent_eval.evaluation import Direction, Evaluation, Failed, Interaction, Label, Part, Scored
from otel_agent_eval.evaluation.running import run

GOOD = Scored(score=0.0, label=Label.PASS, threshold=0.5)


class Scripted:
    name = "scripted"
    version = "test/scripted@1"
    direction = Direction.HIGHER_IS_WORSE
    needs = frozenset({Part.ANSWER})
    judges_answer = True
    evidence: tuple[str, ...] = ()
    threshold = 0.5

    def __init__(self, script: Callable[[Sequence[Interaction]], Any]) -> None:
        self.evaluate: Callable[[Sequence[Interaction]], list[Evaluation]] = script


def interactions(*answers: str) -> list[Interaction]:
    return [Interaction(answer=answer) for answer in answers]


def poisoned(batch: Sequence[Interaction]) -> list[Evaluation]:
    if any(interaction.answer == "poison" for interaction in batch):
        raise RuntimeError("poison")
    return [GOOD] * len(batch)


def test_one_poisonous_interaction_fails_alone() -> None:
    found = run(Scripted(poisoned), interactions("a", "poison", "b"))
    assert found == [GOOD, Failed("RuntimeError"), GOOD]


@pytest.mark.parametrize(
    "wrong", [[], [GOOD] * 5, None, ["pass", "pass"], 7, [GOOD, None], iter([GOOD])], ids=lambda wrong: str(wrong)[:20]
)
def test_a_wrong_result_has_failed(wrong: object) -> None:
    found = run(Scripted(lambda _: wrong), interactions("a", "b"))
    assert all(isinstance(evaluation, Failed) for evaluation in found)
    assert len(found) == 2


def test_a_failure_is_logged_without_the_content_of_its_message(caplog: pytest.LogCaptureFixture) -> None:
    def quoting(batch: Sequence[Interaction]) -> list[Evaluation]:
        raise ValueError(batch[0].answer)

    run(Scripted(quoting), interactions("the secret answer"))
    assert "secret" not in caplog.text
    assert "ValueError" in str([vars(record) for record in caplog.records])


def test_an_empty_batch_is_evaluated_to_nothing() -> None:
    assert run(Scripted(poisoned), []) == []
