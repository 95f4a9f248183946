import pytest
from annotation_samples import BETTER, EVALUATORS, TOXICITY, WORSE, good, judged, skipped, toxic

from otel_agent_eval.annotation.result import EvaluatorInfo, JudgedSpan, evaluator_info, worst
from otel_agent_eval.evaluation.evaluation import Evaluation, Failed, Reason, Skipped
from otel_agent_eval.evaluation.evaluator import Description
from otel_agent_eval.evaluation.interaction import Part


def plugin(name: str = "politeness", evidence: tuple[str, ...] = ("phrases",)) -> Description:
    return Description(
        name=name,
        version="acme/politeness@1",
        direction=BETTER,
        needs=frozenset({Part.ANSWER}),
        judges_answer=True,
        evidence=evidence,
        threshold=0.5,
    )


def test_an_evaluator_is_described_by_its_own_words() -> None:
    assert evaluator_info(plugin()) == EvaluatorInfo("politeness", "acme/politeness@1", BETTER, judges_answer=True)


@pytest.mark.parametrize("name", ["", "Politeness", "a.b", "a b", "9lives", "x" * 64, "größe"])
def test_an_evaluator_whose_name_cannot_be_an_attribute_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is not a lower-case name"):
        evaluator_info(plugin(name))


def test_evidence_cannot_take_the_name_of_a_result() -> None:
    with pytest.raises(ValueError, match="evidence cannot be called reason, score"):
        evaluator_info(plugin(evidence=("score", "reason", "phrases")))


FAILED, SKIPPED = Failed("RuntimeError"), Skipped(Reason.TRUNCATED)


@pytest.mark.parametrize(
    ("evaluations", "expected"),
    [
        ([toxic(0.1), toxic(0.9), toxic(0.85)], toxic(0.9)),
        ([toxic(0.1), toxic(0.3)], toxic(0.3)),
        ([FAILED, toxic(0.9)], toxic(0.9)),
        ([toxic(0.1), FAILED], FAILED),
        ([SKIPPED, toxic(0.1)], toxic(0.1)),
        ([SKIPPED, FAILED], FAILED),
        ([SKIPPED, Skipped(Reason.NO_CONTEXT)], SKIPPED),
    ],
)
def test_the_worst_evaluation_stands_for_all(evaluations: list[Evaluation], expected: Evaluation) -> None:
    assert worst(evaluations, WORSE) == expected


def test_the_worst_score_depends_on_the_direction() -> None:
    assert worst([good(0.9), good(0.6)], BETTER) == good(0.6)
    assert worst([good(0.1), good(0.3)], BETTER) == good(0.1)


def test_a_skipped_candidate_is_skipped_by_every_evaluator() -> None:
    assert skipped(Reason.NO_ANSWER).verdicts == (dict.fromkeys(EVALUATORS, Skipped(Reason.NO_ANSWER)),)


def test_verdicts_must_match_the_choices() -> None:
    one = judged({"toxicity": toxic(0.1)})
    with pytest.raises(ValueError, match="2 verdicts, 1 expected"):
        JudgedSpan(candidate=one.candidate, evaluators=EVALUATORS, choices=({}, {}))
    with pytest.raises(ValueError, match="1 verdicts, 0 expected"):
        JudgedSpan(candidate=skipped(Reason.DUPLICATE).candidate, evaluators=EVALUATORS, choices=({},))


def test_verdicts_by_unknown_evaluators_are_refused() -> None:
    one = judged({"relevance": good(0.9)})
    with pytest.raises(ValueError, match="unknown evaluators: relevance"):
        JudgedSpan(candidate=one.candidate, evaluators={"toxicity": TOXICITY}, choices=one.choices)
