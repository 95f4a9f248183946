"""Readers, one for each span convention: a span and its logs to what was asked, answered and retrieved."""

from otel_agent_eval.conventions.capture import capture_switch, content_may_be_in_logs
from otel_agent_eval.conventions.markers import Marks, could_hold_content, marks_of
from otel_agent_eval.conventions.readers import READERS, load_readers, read

__all__ = [
    "READERS",
    "Marks",
    "capture_switch",
    "content_may_be_in_logs",
    "could_hold_content",
    "load_readers",
    "marks_of",
    "read",
]
