"""Says when a request that was taken apart need not be kept any more, and what of it still must be."""

from collections.abc import Callable, Collection
from functools import partial
from types import TracebackType
from typing import Self


class Receipt:
    """Counts what is still to leave of a request; `free` is called once, when nothing is.

    Whoever makes it holds it, or a block does: `with receipt: ...`. Held again after it was freed, it stays freed.
    Items that take longer than the rest have receipts of their own, by `part`; once nothing else is to leave, `narrow`
    is told which of them are left, again and again.
    """

    __slots__ = ("_free", "_holders", "_narrow", "_parts")

    def __init__(self, free: Callable[[], None], narrow: Callable[[Collection[int]], None] | None = None) -> None:
        self._free = free
        self._narrow = narrow
        self._holders = 1
        self._parts: set[int] = set()

    def hold(self) -> None:
        """Say that something more of the request is on its way."""
        if self._holders:
            self._holders += 1

    def release(self) -> None:
        """Say that something of the request has left, or is needed no more."""
        if not self._holders:
            return
        self._holders -= 1
        if not self._holders:
            self._free()
        elif self._narrow is not None and self._holders == len(self._parts):
            self._narrow(self._parts)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        self.release()

    def part(self, position: int) -> "Receipt":
        """Return the receipt of one item of the request, held; the request is kept at least until it is freed."""
        self.hold()
        self._parts.add(position)
        return Receipt(partial(self._freed, position))

    def _freed(self, position: int) -> None:
        self._parts.discard(position)
        self.release()
