"""What an operator's selectors say of a span, over the rules."""

from collections.abc import Callable
from enum import StrEnum

from otel_agent_eval.conventions.extract import Extract
from otel_agent_eval.conventions.span import SpanView


class Verdict(StrEnum):
    """How a selector overrides the rules on which answers count."""

    EXCLUDE = "exclude"  # never evaluated: `filtered`
    USER_FACING = "user_facing"  # shown to the user, wherever it stands in the trace
    NOT_USER_FACING = "not_user_facing"


Selector = Callable[[SpanView, Extract], Verdict | None]
"""Looks at a span that holds, or could hold, an answer, when it is decided; None leaves it to the rules.

The extract names the agent of the nearest ancestor where the span itself names none.
"""
