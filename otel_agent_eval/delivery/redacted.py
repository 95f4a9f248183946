"""An exporter in front of which requests are redacted."""

import asyncio
from collections.abc import Callable

from otel_agent_eval.exporters.exporter import Exporter, Permanent, Retryable
from otel_agent_eval.signals import Payload
from otel_agent_eval.watched import UnusableError

_AT_ONCE = 16 << 10  # bytes of a request that takes no longer than handing it to a thread


class RedactedExporter:
    """Sends what `redact` makes of a request; where that fails, nothing of the request is sent.

    It is redacted for each attempt: what waits, and what is parked, is as it came.
    """

    def __init__(self, exporter: Exporter, redact: Callable[[Payload], Payload]) -> None:
        self.name = exporter.name
        self.signals = exporter.signals
        self._exporter = exporter
        self._redact = redact

    async def export(self, payload: Payload) -> int:
        """Redact and send a request. Raises what the exporter raises, and for what cannot be redacted `Permanent`; or
        `Retryable` where that is for want of a key: with the key it can.
        """
        try:
            if len(payload.body) <= _AT_ONCE:
                redacted = self._redact(payload)
            else:
                redacted = await asyncio.to_thread(self._redact, payload)
        except UnusableError:
            raise Retryable("redaction waits for its key") from None
        except Exception as error:  # noqa: BLE001 (whatever it is, the request must not leave as it is)
            # Without its cause: a traceback can quote content.
            raise Permanent(f"redaction failed: {type(error).__name__}") from None
        return await self._exporter.export(redacted)

    async def close(self) -> None:
        """Close the exporter."""
        await self._exporter.close()
