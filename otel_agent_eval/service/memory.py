"""How much memory the gateway and its model workers take, how much they may, and what is done when it gets short."""

import asyncio
import ctypes
import gc
import logging
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from enum import IntEnum
from pathlib import Path, PurePosixPath
from typing import Final

_log = logging.getLogger(__name__)

MIB: Final = 1 << 20
_COLLECT_EVERY = 10.0
"""Seconds from one collection to the next while only the soft limit is exceeded: each stops everything for a while."""
_ROOT = Path("/")


class Level(IntEnum):
    """How short memory is."""

    ENOUGH = 0
    SHORT = 1
    """Above the soft limit."""
    EXHAUSTED = 2
    """Above the hard limit."""


class MemoryLimiter:
    """Looks at the memory in use, and says how short it is.

    Up to `soft` bytes all is well. Above, garbage is collected now and then; above `hard` at every look, after
    `relieve` was told. That is told at every look at which memory is short, and when it is enough again.
    """

    def __init__(
        self,
        soft: int,
        hard: int,
        relieve: Callable[[Level], None],
        *,
        interval: float = 1.0,
        measure: Callable[[], int] | None = None,
        collect: Callable[[], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.soft = soft
        self.hard = hard
        self.level = Level.ENOUGH
        self.used = 0
        self._relieve = relieve
        self._interval = interval
        self._measure = measure or memory_in_use
        self._collect = collect or give_memory_back
        self._clock = clock
        self._collected = float("-inf")

    def check(self) -> None:
        """Raise `ValueError` where what is loaded at the start is too much already: all would be refused for ever."""
        self._collect()
        if self._measured() is not Level.ENOUGH:
            raise ValueError(
                f"processors.memory_limiter: {self.used // MIB} MiB are taken before anything has come in, and the soft"
                f" limit is {self.soft // MIB} MiB: raise the limit"
            )

    async def watch(self) -> None:
        """Look every `interval` seconds."""
        while True:
            await asyncio.sleep(self._interval)
            self.look()

    def look(self) -> Level:
        """Measure, do what is to be done, and return the level."""
        level = self._measured()
        due = self._clock() - self._collected >= _COLLECT_EVERY
        if level is Level.EXHAUSTED:
            self._relieve(level)
        if level is Level.EXHAUSTED or (level is Level.SHORT and due):
            self._collect()
            self._collected = self._clock()
            level = self._measured()
        if level is not self.level:
            self._say(level)
        if level or self.level:
            self._relieve(level)
        self.level = level
        return level

    def _measured(self) -> Level:
        self.used = self._measure()
        return Level((self.used > self.soft) + (self.used > self.hard))

    def _say(self, level: Level) -> None:
        said = {
            Level.ENOUGH: "memory is enough again",
            Level.SHORT: "memory is short: answers are not scored, and senders are asked to come back later",
            Level.EXHAUSTED: "memory is exhausted: what can be forgotten is forgotten",
        }[level]
        fields = {"used_mib": self.used // MIB, "soft_mib": self.soft // MIB, "hard_mib": self.hard // MIB}
        _log.log(logging.INFO if level is Level.ENOUGH else logging.WARNING, said, extra=fields)


def memory_in_use() -> int:
    """Return the bytes that this process and its model workers hold and the system cannot take back; 0 if unknown.

    What is only mapped from files (libraries) does not count: the system reads it again when it must.
    """
    return sum(map(_held_by, (os.getpid(), *_children())))


def give_memory_back() -> None:
    """Collect garbage, and return to the system what the allocator keeps for later."""
    gc.collect()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # of glibc
    if trim is not None:
        trim(0)


def memory_of_machine(root: Path = _ROOT) -> int:
    """Return the bytes that this process could use at most: the machine's, or what its control groups allow.

    `root` is where `proc` and `sys` are.
    """
    return min([os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"), *_limits_of_groups(root)])


def _children() -> Iterator[int]:
    """Yield the processes that this one has started, by the thread that did."""
    for thread in threading.enumerate():
        try:
            children = Path(f"/proc/self/task/{thread.native_id}/children").read_text(encoding="ascii")
        except OSError:  # it has just ended, or this is not Linux
            continue
        yield from map(int, children.split())


def _held_by(pid: int) -> int:
    try:
        _, resident, shared, *_ = Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()
    except (OSError, ValueError):  # it has just ended, or this is not Linux
        return 0
    return (int(resident) - int(shared)) * os.sysconf("SC_PAGE_SIZE")


def _limits_of_groups(root: Path) -> Iterator[int]:
    """Yield the limits of the control groups that the process is in, and of all around them."""
    try:
        lines = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except (OSError, ValueError):
        return
    groups = root / "sys/fs/cgroup"
    for line in lines:
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        if not controllers:  # version 2
            yield from _limits(groups, path, "memory.max")
        elif "memory" in controllers.split(","):
            yield from _limits(groups / "memory", path, "memory.limit_in_bytes")


def _limits(mount: Path, path: str, name: str) -> Iterator[int]:
    inner = PurePosixPath(path.lstrip("/"))
    places: Iterable[PurePosixPath] = (inner, *inner.parents)  # in a container only the outermost may be there
    for place in places:
        try:
            yield int((mount / place / name).read_text(encoding="ascii"))
        except (OSError, ValueError):  # "max", or no such group
            continue
