"""The configuration's selectors: which spans are user-facing, over the rules of assembly."""

from otel_agent_eval.assembly.selection import Selector, Verdict
from otel_agent_eval.config import AgentEval
from otel_agent_eval.conventions.attribute import attribute
from otel_agent_eval.conventions.extract import Extract
from otel_agent_eval.conventions.span import SpanView
from otel_agent_eval.evaluation.policy import matches


def selector(settings: AgentEval) -> Selector:
    """Return what looks at a span for assembly: the first selector that matches decides."""

    def select(span: SpanView, extract: Extract) -> Verdict | None:
        def lookup(name: str) -> object:
            around = extract.agent or None if name == "gen_ai.agent.name" else None
            return attribute(span, name) or around

        chosen = next((s for s in settings.selectors if matches(s.match, lookup)), None)
        if chosen is None:
            return None
        return Verdict.USER_FACING if chosen.user_facing else Verdict.NOT_USER_FACING

    return select
