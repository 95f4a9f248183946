"""An exporter in front of which requests are redacted."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from otel_agent_eval.exporters.exporter import Exporter, Permanent, Retryable
from otel_agent_eval.signals import Payload
from otel_agent_eval.watched import UnusableError

_AT_ONCE: Final = 2 << 10  # bytes of a request that takes no longer than handing it to a thread
_THREAD: Final = "redaction"


def redacting() -> bool:
    """Say whether a thread still redacts something: a process that is to end must then not wait for it."""
    return any(thread.name == _THREAD for thread in threading.enumerate())


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
                redacted = await _beside(self._redact, payload)
        except UnusableError:
            raise Retryable("redaction waits for its key") from None
        except Exception as error:  # noqa: BLE001 (whatever it is, the request must not leave as it is)
            # Without its cause: a traceback can quote content.
            raise Permanent(f"redaction failed: {type(error).__name__}") from None
        return await self._exporter.export(redacted)

    async def close(self) -> None:
        """Close the exporter."""
        await self._exporter.close()


async def _beside(redact: Callable[[Payload], Payload], payload: Payload) -> Payload:
    """Redact in a thread of its own: those that all share read and write the queue, and an end waits for them."""
    loop = asyncio.get_running_loop()
    redacted: asyncio.Future[Payload] = loop.create_future()

    def tell(result: Payload | Exception) -> None:
        if redacted.done():  # nobody waits any more
            return
        if isinstance(result, Exception):
            redacted.set_exception(result)
        else:
            redacted.set_result(result)

    def work() -> None:
        result: Payload | Exception
        try:
            result = redact(payload)
        except Exception as error:  # noqa: BLE001 (told to who waits)
            result = error
        with suppress(RuntimeError):  # the loop has ended
            loop.call_soon_threadsafe(tell, result)

    threading.Thread(target=work, name=_THREAD, daemon=True).start()
    return await redacted
