"""TLS contexts that follow their files, and tell of handshakes that fail."""

import ssl
from collections.abc import Callable
from typing import Any, Self


class FollowingContext(ssl.SSLContext):
    """Stands for whatever `current` returns: each new connection is made with that, open ones stay as they are.

    asyncio, uvloop and httpx make connections by `wrap_bio`. To load new files into a context that is in use would not
    do: authorities that are trusted no more would stay in it.
    """

    def __new__(cls, protocol: int, _current: Callable[[], ssl.SSLContext]) -> Self:
        """Make the context that servers and clients are given; it holds no certificates itself."""
        return super().__new__(cls, protocol)

    def __init__(self, _protocol: int, current: Callable[[], ssl.SSLContext]) -> None:
        self._current = current

    def wrap_bio(self, *args: Any, **kwargs: Any) -> ssl.SSLObject:  # noqa: ANN401 (as the method it replaces)
        """Begin a connection."""
        return self._current().wrap_bio(*args, **kwargs)


def telling(context: ssl.SSLContext, failed: Callable[[str], None]) -> ssl.SSLContext:
    """Have a context tell why a handshake fails; asyncio and uvloop keep that to themselves, and know no client yet.

    Who connects and goes away, as probes do, is not told.
    """

    class Telling(ssl.SSLObject):
        def do_handshake(self) -> None:
            try:
                super().do_handshake()
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                raise
            except ssl.SSLError as error:
                failed(_reason(error))
                raise

    context.sslobject_class = Telling
    return context


def _reason(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    return (error.reason or type(error).__name__).replace("_", " ").lower()
