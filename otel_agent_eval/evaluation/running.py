"""Calling an evaluator so that whatever it does, each interaction gets one evaluation."""

import logging
from collections.abc import Sequence

from otel_agent_eval.evaluation.evaluation import Evaluation, Failed, Scored, Skipped
from otel_agent_eval.evaluation.evaluator import Evaluator
from otel_agent_eval.evaluation.interaction import Interaction

_log = logging.getLogger(__name__)


def run(evaluator: Evaluator, batch: Sequence[Interaction]) -> list[Evaluation]:
    """Evaluate a batch; never raises.

    If the batch as a whole breaks, its interactions are tried one by one: one that breaks the evaluator does not fail
    the others.
    """
    try:
        return _checked(evaluator.evaluate(batch), len(batch))
    except Exception as error:  # noqa: BLE001 (an evaluator is anybody's code)
        if len(batch) > 1:
            return [evaluation for interaction in batch for evaluation in run(evaluator, [interaction])]
        # Only the class: a message can quote the answer.
        failed = Failed(type(error).__name__)
        _log.warning("evaluator failed", extra={"evaluator": evaluator.name, "error_type": failed.error_type})
        return [failed]


class WrongResult(Exception):  # noqa: N818 (its name is what is reported as `error.type`)
    """An evaluator returned something else than one evaluation for each interaction."""


def _checked(evaluations: list[Evaluation], count: int) -> list[Evaluation]:
    if len(evaluations) != count or not all(isinstance(e, Scored | Skipped | Failed) for e in evaluations):
        raise WrongResult
    return list(evaluations)
