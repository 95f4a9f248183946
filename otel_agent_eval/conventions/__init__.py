"""Readers, one for each span convention: a span and its logs to what was asked, answered and retrieved."""

from otel_agent_eval.conventions.read import READERS, load_readers, read

__all__ = ["READERS", "load_readers", "read"]
