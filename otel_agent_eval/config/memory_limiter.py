"""The processor `memory_limiter`: how much memory the gateway may take, in the Collector's words."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from otel_agent_eval.config.base import Settings
from otel_agent_eval.config.values import Duration

_SPIKE = 0.2
_MIB = 1 << 20
_PERCENT = Annotated[int, Field(ge=1, le=100)]


class MemoryLimiter(Settings):
    """Refuses what pipelines that name it would take while memory is short, as the Collector's does.

    Above the soft limit, which is the limit less the spike limit, answers are not scored (`overloaded`) and senders are
    asked to come back later; above the limit what can be forgotten is forgotten. Nothing is dropped. What counts is
    the memory of the gateway and its model workers together.
    """

    check_interval: Annotated[Duration, Field(ge=0.1, le=60)] = 1.0
    """How often memory is measured."""
    limit_mib: Annotated[int, Field(ge=1)] | None = None
    """The hard limit in MiB."""
    spike_limit_mib: Annotated[int, Field(ge=1)] | None = None
    """How much the soft limit lies below it, in MiB; without it a fifth of the limit."""
    limit_percentage: _PERCENT | None = None
    """The hard limit, in place of `limit_mib`, in per cent of what the container may use, or of the machine's."""
    spike_limit_percentage: _PERCENT | None = None
    """How much the soft limit lies below it, in per cent of the same; without it a fifth of the limit."""

    @model_validator(mode="after")
    def _one_limit(self) -> Self:
        if (self.limit_mib is None) == (self.limit_percentage is None):
            raise ValueError("give limit_mib or limit_percentage")
        if self.limit_mib is None and self.spike_limit_mib is not None:
            raise ValueError("spike_limit_mib goes with limit_mib; here spike_limit_percentage is meant")
        if self.limit_percentage is None and self.spike_limit_percentage is not None:
            raise ValueError("spike_limit_percentage goes with limit_percentage; here spike_limit_mib is meant")
        hard, spike = self.limit_mib or self.limit_percentage, self.spike_limit_mib or self.spike_limit_percentage
        if hard is not None and spike is not None and spike >= hard:
            raise ValueError("the spike limit must be smaller than the limit")
        return self

    def bounds(self, total: int) -> tuple[int, int]:
        """Return the soft and the hard limit in bytes, where `total` bytes are all that there are."""
        unit = total / 100 if self.limit_percentage is not None else _MIB
        hard = (self.limit_mib or self.limit_percentage or 0) * unit
        spike = (self.spike_limit_mib or self.spike_limit_percentage or 0) * unit or hard * _SPIKE
        return int(hard - spike), int(hard)
