"""What the memory limiter does when, and what it takes for the memory there is."""

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.processes import wait_until

from otel_agent_eval.config.memory_limiter import MemoryLimiter as Settings
from otel_agent_eval.service.memory import (
    MIB,
    Level,
    MemoryLimiter,
    give_memory_back,
    memory_in_use,
    memory_of_machine,
)

SOFT, HARD = 80 * MIB, 100 * MIB


class Bench:
    """A limiter whose measurements are given in MiB; `freed` is what a collection gives back."""

    def __init__(self, *measured: int, freed: int = 0) -> None:
        self.told: list[Level] = []
        self.collections = 0
        self.now = 0.0
        self._measured = iter(measured)
        self._used = 0
        self._freed = freed
        self.limiter = MemoryLimiter(
            SOFT,
            HARD,
            self.told.append,
            measure=lambda: self._used * MIB,
            collect=self._collect,
            clock=lambda: self.now,
        )

    def look(self) -> Level:
        self._used = next(self._measured)
        self.now += 1.0
        return self.limiter.look()

    def _collect(self) -> None:
        self.collections += 1
        self._used -= self._freed


def test_below_the_soft_limit_nothing_is_done() -> None:
    bench = Bench(10, 80)
    assert [bench.look(), bench.look()] == [Level.ENOUGH] * 2
    assert (bench.told, bench.collections) == ([], 0)


def test_it_is_told_while_memory_is_short_and_when_no_longer_and_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    bench = Bench(81, 82, 81, 70, 70)
    assert [bench.look() for _ in range(5)] == [Level.SHORT] * 3 + [Level.ENOUGH] * 2
    assert bench.told == [Level.SHORT] * 3 + [Level.ENOUGH]
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]


def test_between_the_limits_garbage_is_collected_seldom() -> None:
    bench = Bench(*[90] * 25)
    for _ in range(25):
        bench.look()
    assert bench.collections == 3


def test_above_the_hard_limit_memory_is_relieved_and_collected_at_every_look() -> None:
    bench = Bench(*[120] * 5)
    assert [bench.look() for _ in range(5)] == [Level.EXHAUSTED] * 5
    assert bench.collections == 5
    assert set(bench.told) == {Level.EXHAUSTED}
    assert len(bench.told) >= 5


def test_what_a_collection_frees_counts_at_once() -> None:
    bench = Bench(90, freed=20)
    assert bench.look() is Level.ENOUGH
    assert bench.told == []


@given(st.lists(st.integers(0, 200), max_size=50))
def test_the_level_always_says_what_was_measured_last(measured: list[int]) -> None:
    bench = Bench(*measured)
    for used in measured:
        assert bench.look() == (used > 80) + (used > 100)


def test_the_memory_of_this_process_grows_with_what_it_holds_and_can_be_given_back() -> None:
    before = memory_in_use()
    held = b"x" * (64 * MIB)
    assert memory_in_use() - before > 60 * MIB
    del held
    give_memory_back()
    assert memory_in_use() - before < 30 * MIB


def machine(folder: Path, cgroup: str, **limits: str) -> Path:
    """Make what the limiter reads of a machine; in `limits` dots and slashes of paths are written `__`."""
    (folder / "proc/self").mkdir(parents=True)
    (folder / "proc/self/cgroup").write_text(cgroup)
    for name, limit in limits.items():
        file = folder / "sys/fs/cgroup" / name.replace("__", "/")
        file = file.with_name(file.name.replace("memory_", "memory."))
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(limit + "\n")
    return folder


@pytest.mark.parametrize(
    ("cgroup", "limits", "expected"),
    [
        ("0::/\n", {"memory_max": "268435456"}, 256),
        ("0::/pod/container\n", {"pod__container__memory_max": "max", "pod__memory_max": "134217728"}, 128),
        ("4:memory:/box\n0::/\n", {"memory__box__memory_limit_in_bytes": "268435456"}, 256),
        ("4:memory:/not/here\n", {"memory__memory_limit_in_bytes": "134217728"}, 128),
        ("0::/\n", {"memory_max": "max"}, None),
        ("4:memory:/box\n", {"memory__box__memory_limit_in_bytes": "9223372036854771712"}, None),
        ("nonsense", {}, None),
        ("", {}, None),
    ],
)
def test_a_container_has_what_its_control_groups_allow(
    tmp_path: Path, cgroup: str, limits: dict[str, str], expected: int | None
) -> None:
    found = memory_of_machine(machine(tmp_path, cgroup, **limits))
    whole = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    assert found == (whole if expected is None else expected * MIB)


def test_without_control_groups_it_is_all_of_the_machine(tmp_path: Path) -> None:
    assert memory_of_machine(tmp_path) == os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize(
    ("given_keys", "soft", "hard"),
    [
        ({"limit_mib": 500}, 400, 500),
        ({"limit_mib": 500, "spike_limit_mib": 50}, 450, 500),
        ({"limit_percentage": 50}, 400, 500),
        ({"limit_percentage": 50, "spike_limit_percentage": 25}, 250, 500),
    ],
)
def test_limits_are_the_collectors(given_keys: dict[str, int], soft: int, hard: int) -> None:
    assert Settings(**given_keys).bounds(1000 * MIB) == (soft * MIB, hard * MIB)  # type: ignore[arg-type]  # a mapping of both kinds of keys


def test_the_memory_of_child_processes_counts(tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    held = f"import pathlib, sys; held = b'x' * ({64 * MIB}); pathlib.Path({str(ready)!r}).touch(); sys.stdin.read()"
    before = memory_in_use()
    with subprocess.Popen([sys.executable, "-c", held], stdin=subprocess.PIPE) as child:
        wait_until(ready.exists, 30, "start of the child")
        assert memory_in_use() - before > 60 * MIB
        child.kill()
