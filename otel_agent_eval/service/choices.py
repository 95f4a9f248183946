"""Which models a configuration puts in place of the built-in ones."""

from otel_agent_eval.config import AgentEval
from otel_agent_eval.config.processors import BUILT_IN_MODEL
from otel_agent_eval.processors.pretrained.load import Choice


def choices(settings: AgentEval) -> dict[str, Choice]:
    """Return the evaluators that have a model of their own, and which."""
    return {
        name: Choice(evaluator.model, evaluator.labels)
        for name, evaluator in settings.evaluators.items()
        if evaluator.model != BUILT_IN_MODEL
    }
