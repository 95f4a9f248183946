"""What assembly hands on: a span that holds, or could have held, an answer."""

from dataclasses import dataclass

from otel_agent_eval.conventions.extract import Extract
from otel_agent_eval.evaluation.evaluation import Reason
from otel_agent_eval.evaluation.interaction import Interaction


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A span that holds, or could have held, an answer, with all that is known when its wait is over.

    `interactions` has one entry for each choice. Where `skipped` is set nothing of the span is evaluated, and that is
    why (`duplicate`, `not_user_facing`, `no_answer`, `content_not_captured`, `by_reference`, `filtered`); its
    interactions then only describe it. `duplicate_of` is the span id of the answer that counts. With neither
    interactions nor `skipped` the span turned out to be a mere step: it is let go and nothing is said of it. `late`:
    its content came after the span had left, so that results go out as events and metrics only.
    """

    trace_id: str
    span_id: str
    extract: Extract
    interactions: tuple[Interaction, ...] = ()
    skipped: Reason | None = None
    duplicate_of: str = ""
    late: bool = False
