"""Delivery: from the journal to each destination, sent again until it arrives."""

from otel_agent_eval.delivery.dead_letters import DeadLetters, Letter, LetterLimits, TooManyLettersError
from otel_agent_eval.delivery.delivery import Delivery, StrayLetters
from otel_agent_eval.delivery.destination import Destination, Observe
from otel_agent_eval.delivery.measured import Attempted, Measured
from otel_agent_eval.delivery.redacted import RedactedExporter, redacting
from otel_agent_eval.delivery.settings import RetrySettings, SendSettings
from otel_agent_eval.delivery.stats import DestinationStats, Fate, LastError

__all__ = [
    "Attempted",
    "DeadLetters",
    "Delivery",
    "Destination",
    "DestinationStats",
    "Fate",
    "LastError",
    "Letter",
    "LetterLimits",
    "Measured",
    "Observe",
    "RedactedExporter",
    "RetrySettings",
    "SendSettings",
    "StrayLetters",
    "TooManyLettersError",
    "redacting",
]
