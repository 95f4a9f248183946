"""The contracts (Interaction, Evaluator, Evaluation) and the engine that batches interactions through evaluators."""

from otel_agent_eval.evaluation.evaluation import (
    Direction,
    Evaluation,
    Failed,
    Label,
    Outcome,
    Reason,
    Scored,
    Skipped,
    label,
    with_threshold,
)
from otel_agent_eval.evaluation.evaluator import Description, Evaluator, describe
from otel_agent_eval.evaluation.interaction import Document, Interaction, Part, Turn

__all__ = [
    "Description",
    "Direction",
    "Document",
    "Evaluation",
    "Evaluator",
    "Failed",
    "Interaction",
    "Label",
    "Outcome",
    "Part",
    "Reason",
    "Scored",
    "Skipped",
    "Turn",
    "describe",
    "label",
    "with_threshold",
]
