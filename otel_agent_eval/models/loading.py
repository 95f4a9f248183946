"""Loading evaluators where they will run."""

from collections.abc import Callable, Sequence

from otel_agent_eval.evaluation import Evaluator
from otel_agent_eval.models.runtime import ModelError

Load = Callable[[], Sequence[Evaluator]]
"""Loads evaluators where they will run. For a process it must be picklable: a function of a module, or a partial."""


def load_by_name(load: Load) -> dict[str, Evaluator]:
    """Load evaluators. Raises `ModelError`, whatever goes wrong."""
    try:
        return {evaluator.name: evaluator for evaluator in load()}
    except ModelError:
        raise
    except Exception as error:
        raise ModelError(f"the evaluators cannot be loaded: {type(error).__name__}: {error}") from error
