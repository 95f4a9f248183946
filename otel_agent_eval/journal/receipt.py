"""Says when a request that was taken apart need not be kept any more."""

from collections.abc import Callable


class Receipt:
    """Counts what is still to leave of a request; `free` is called once, when nothing is.

    Whoever makes it holds it. Held again after it was freed, it stays freed.
    """

    __slots__ = ("_free", "_holders")

    def __init__(self, free: Callable[[], None]) -> None:
        self._free = free
        self._holders = 1

    def hold(self) -> None:
        """Say that something more of the request is on its way."""
        if self._holders:
            self._holders += 1

    def release(self) -> None:
        """Say that something of the request has left, or is needed no more."""
        if self._holders:
            self._holders -= 1
            if not self._holders:
                self._free()
