"""Evaluators that know steps are interrupted; others are not."""

import time
from collections.abc import Sequence

import pytest

from otel_agent_eval.evaluation import Direction, Evaluation, Failed, Interaction, Label, Part, Scored
from otel_agent_eval.evaluation.evaluator import Steps
from otel_agent_eval.evaluation.running import Running

GOOD = Scored(score=1.0, label=Label.PASS, threshold=0.5)


class Whole:
    name = "whole"
    version = "test/whole@1"
    direction = Direction.HIGHER_IS_BETTER
    needs = frozenset({Part.ANSWER})
    judges_answer = True
    evidence: tuple[str, ...] = ()
    threshold = 0.5

    def evaluate(self, batch: Sequence[Interaction]) -> list[Evaluation]:
        return [GOOD for _ in batch]


class Stepwise(Whole):
    """Takes as many steps as the answer has letters; obeys orders in the question."""

    def __init__(self) -> None:
        self.taken = 0
        self.closed = 0

    def steps(self, batch: Sequence[Interaction]) -> Steps:
        try:
            for _ in batch[0].answer:
                self.taken += 1
                time.sleep(0.001)
                yield
            if batch[0].question == "raise":
                raise ValueError("a message that may quote the answer")
        finally:
            self.closed += 1
        return [] if batch[0].question == "lose" else [GOOD for _ in batch]


def test_an_evaluator_without_steps_judges_a_long_one_at_once() -> None:
    verdicts = Running({"whole": Whole()}).begin("whole", Interaction(answer="a" * 1000))
    assert verdicts is not None
    assert verdicts.evaluations == [GOOD]


def test_a_long_one_is_judged_in_slices_between_which_others_are() -> None:
    evaluator = Stepwise()
    running = Running({"steps": evaluator}, slice_seconds=0.0)
    assert running.begin("steps", Interaction(answer="a" * 20)) is None
    assert evaluator.taken < 20
    assert running.submit("steps", [Interaction(answer="b")]).evaluations == [GOOD]
    slices = 1
    while (verdicts := running.resume()) is None:
        slices += 1
        assert slices < 100
    assert verdicts.evaluations == [GOOD]
    assert verdicts.seconds >= 0.02
    assert evaluator.taken == 20


def test_what_is_begun_anew_gives_up_what_was_begun_before() -> None:
    evaluator = Stepwise()
    running = Running({"steps": evaluator}, slice_seconds=0.0)
    assert running.begin("steps", Interaction(answer="a" * 20)) is None
    assert running.begin("steps", Interaction(answer="b")) is None
    assert running.begin("steps", Interaction(answer="c")) is None
    running = Running({"steps": evaluator}, slice_seconds=60)
    verdicts = running.begin("steps", Interaction(answer="abc"))
    assert verdicts is not None
    assert verdicts.evaluations == [GOOD]


@pytest.mark.parametrize(("order", "error"), [("raise", "ValueError"), ("lose", "WrongResult")])
def test_what_breaks_in_a_slice_has_failed(order: str, error: str, caplog: pytest.LogCaptureFixture) -> None:
    verdicts = Running({"steps": Stepwise()}, slice_seconds=60).begin("steps", Interaction(answer="a", question=order))
    assert verdicts is not None
    assert verdicts.evaluations == [Failed(error)]
    assert "quote" not in caplog.text


def test_there_is_nothing_to_go_on_with_in_a_new_process() -> None:
    verdicts = Running({}).resume()
    assert verdicts is not None
    assert verdicts.evaluations == [Failed("NotBegun")]
