"""The contract of an exporter, and the two ways in which sending can fail."""

from typing import Protocol, runtime_checkable

from otel_agent_eval.signals import Payload, Signal


class ExportError(Exception):
    """A request did not arrive. `kind` is short and free of content (`UNAVAILABLE`, `HTTP 503`, `ConnectError`)."""

    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


class Retryable(ExportError):  # noqa: N818 (named by what to do about it)
    """The same request can be accepted later; not before `retry_after` seconds where the destination said so."""

    def __init__(self, kind: str, retry_after: float | None = None) -> None:
        super().__init__(kind)
        self.retry_after = retry_after


class Permanent(ExportError):  # noqa: N818 (named by what to do about it)
    """The destination will never accept this request."""


class Oversized(Permanent):
    """The request is larger than the destination takes; in parts it may be accepted."""


class Unsupported(Permanent):
    """The destination does not take this signal at all."""


@runtime_checkable
class Exporter(Protocol):
    """Sends requests to one destination.

    `name` is the destination's in the configuration (`otlp/tempo`), `signals` what it can carry. A plug-in is a factory
    under the entry point group `otel_agent_eval.exporters`, called with the name and the configured settings.
    """

    name: str
    signals: frozenset[Signal]

    async def export(self, payload: Payload) -> int:
        """Send one request, in one try; return how many of its items the destination rejected (partial success).

        Raises `Retryable`, `Permanent`, `Oversized` or `Unsupported`; anything else is a fault of the exporter, taken
        as retryable.
        """
        ...

    async def close(self) -> None:
        """Give back connections."""
        ...
