"""Calling an evaluator so that whatever it does, each interaction gets one evaluation."""

import logging
import time
from collections.abc import Mapping, Sequence

from otel_agent_eval.evaluation.evaluation import Evaluation, Failed, Scored, Skipped
from otel_agent_eval.evaluation.evaluator import Evaluator, Steps, Stepwise
from otel_agent_eval.evaluation.interaction import Interaction
from otel_agent_eval.evaluation.worker import Verdicts

_log = logging.getLogger(__name__)

_SLICE = 0.05
"""Seconds after which a long interaction is set aside: short ones wait for no more than this and one step."""


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
        return [_failed(evaluator, error)]


class Running:
    """The evaluators of a worker, by name: they judge batches at once, and one long interaction at a time in slices.

    Not safe to call from several threads.
    """

    def __init__(self, evaluators: Mapping[str, Evaluator], slice_seconds: float = _SLICE) -> None:
        self._evaluators = evaluators
        self._slice = slice_seconds
        self._begun: Steps | None = None
        self._seconds = 0.0

    def submit(self, name: str, batch: Sequence[Interaction]) -> Verdicts:
        """Judge a batch."""
        started = time.perf_counter()
        return Verdicts(run(self._evaluators[name], batch), time.perf_counter() - started)

    def begin(self, name: str, interaction: Interaction) -> Verdicts | None:
        """Judge an interaction for a slice of time; None: it takes longer. Gives up what was begun before."""
        self._begun, self._seconds = _steps(self._evaluators[name], interaction), 0.0
        return self.resume()

    def resume(self) -> Verdicts | None:
        """Go on for another slice; None: it takes longer still."""
        if self._begun is None:  # the process in which it was begun is gone
            return Verdicts([Failed(NotBegun.__name__)], 0.0)
        started = time.perf_counter()
        try:
            next(self._begun)
            while time.perf_counter() - started < self._slice:
                next(self._begun)
        except StopIteration as end:
            self._begun = None
            return Verdicts(end.value, self._seconds + time.perf_counter() - started)
        self._seconds += time.perf_counter() - started
        return None


class WrongResult(Exception):  # noqa: N818 (its name is what is reported as `error.type`)
    """An evaluator returned something else than one evaluation for each interaction."""


class NotBegun(Exception):  # noqa: N818 (its name is what is reported as `error.type`)
    """There is nothing to go on with."""


def _steps(evaluator: Evaluator, interaction: Interaction) -> Steps:
    """Evaluate one interaction in the evaluator's steps; never raises. One that knows no steps does it all at once."""
    try:
        if isinstance(evaluator, Stepwise):
            return _checked((yield from evaluator.steps([interaction])), 1)
    except Exception as error:  # noqa: BLE001 (an evaluator is anybody's code)
        return [_failed(evaluator, error)]
    return run(evaluator, [interaction])


def _checked(evaluations: list[Evaluation], count: int) -> list[Evaluation]:
    if len(evaluations) != count or not all(isinstance(e, Scored | Skipped | Failed) for e in evaluations):
        raise WrongResult
    return list(evaluations)


def _failed(evaluator: Evaluator, error: Exception) -> Failed:
    # Only the class: a message can quote the answer.
    failed = Failed(type(error).__name__)
    _log.warning("evaluator failed", extra={"evaluator": evaluator.name, "error_type": failed.error_type})
    return failed
