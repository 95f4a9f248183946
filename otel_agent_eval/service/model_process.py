"""What a process that holds models runs first; it imports no more of the gateway than it needs."""

from collections.abc import Mapping
from typing import Literal

from otel_agent_eval.evaluation import Evaluator
from otel_agent_eval.models.runtimes import Wanted
from otel_agent_eval.processors.pretrained.load import Choice
from otel_agent_eval.processors.registry import load_evaluators
from otel_agent_eval.service import log_format


def load_with_log(
    level: Literal["debug", "info", "warn", "error"],
    encoding: Literal["console", "json"],
    names: tuple[str, ...],
    runtime: Wanted,
    choices: Mapping[str, Choice],
) -> list[Evaluator]:
    """Log as the gateway does, then load evaluators. Raises `ModelError`."""
    log_format.set_up(level, encoding)
    return load_evaluators(names, runtime=runtime, choices=choices)
