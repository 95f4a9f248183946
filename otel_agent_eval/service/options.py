"""How answers are judged."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from otel_agent_eval.annotation.result import EvaluatorInfo, Forms
from otel_agent_eval.conventions.extract import Reader
from otel_agent_eval.evaluation.interaction import Interaction
from otel_agent_eval.evaluation.policy import Decision, Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoringOptions:
    """How answers are judged; times in seconds.

    `matched` names the attributes that the policy's rules look at. `held_bytes` is how much is held at most.
    """

    mode: Literal["annotate", "side"]
    context_wait: float
    score_deadline: float
    policy: Policy
    evaluators: Mapping[str, EvaluatorInfo]
    matched: Collection[str] = ()
    forms: Forms = field(default_factory=Forms)
    readers: Sequence[Reader]
    held_bytes: int = 256 << 20

    def decide(self, interaction: Interaction, matched: Mapping[str, object]) -> dict[str, Decision]:
        """Decide for each evaluator whether it judges an answer; `matched` holds its span's attributes."""
        return self.policy.decide(_lookup(interaction, matched), interaction.trace_id)


def _lookup(interaction: Interaction, matched: Mapping[str, object]) -> Callable[[str], object]:
    """Return the lookup for rules: the span's attributes, its segments, and what assembly learned from its trace."""
    known = {
        "service.name": interaction.service,
        "gen_ai.agent.name": interaction.agent,
        "gen_ai.conversation.id": interaction.conversation,
        "gen_ai.request.model": interaction.model,
    }

    def lookup(name: str) -> object:
        value = matched.get(name)
        if value is None:
            value = interaction.segments.get(name)
        return value if value is not None else known.get(name) or None

    return lookup
