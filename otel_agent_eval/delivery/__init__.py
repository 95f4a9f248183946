"""Delivery: a bounded queue for each destination, sent again until it arrives."""

from otel_agent_eval.delivery.delivery import Delivery
from otel_agent_eval.delivery.destination import Destination, Observe
from otel_agent_eval.delivery.settings import QueueSettings, RetrySettings
from otel_agent_eval.delivery.stats import DestinationStats, Fate, LastError

__all__ = [
    "Delivery",
    "Destination",
    "DestinationStats",
    "Fate",
    "LastError",
    "Observe",
    "QueueSettings",
    "RetrySettings",
]
