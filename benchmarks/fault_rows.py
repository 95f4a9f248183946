"""The rows of `faults.py` about delivery: what is broken between the gateway, its disk and its destinations."""

import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path

from fault_bench import Bench, spans_of
from fault_row import CannotRunError, Make, Row, row_of
from grpc import StatusCode
from support.otlp_sink import UNAVAILABLE, Answer

from otel_agent_eval.journal.record import Stored, read

_YEAR = 365 * 86400.0
_SMALL_DISK = "1m"
_LARGE_SPAN = 40_000
_MORE_THAN_HELD, _LONGEST = 1.2, 60.0
_TROUBLE = (Answer(429, retry_after="1"), Answer(reset=True), Answer(delay=6))
_ERRORS = tuple(Answer(status) for status in HTTPStatus if status >= HTTPStatus.MULTIPLE_CHOICES)


def _killed(name: str, folder: Path, seconds: float, _: Path | None) -> Row:
    kills = 0

    def kill() -> None:
        nonlocal kills
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            time.sleep(min(3.0, seconds / 3))
            bench.kill()
            bench.start()
            kills += 1

    with Bench(folder) as bench:
        bench.send_for(seconds, kill)
        return row_of(name, bench, seconds, f"{kills} kills")


def _backend_down(name: str, folder: Path, _seconds: float, _: Path | None) -> Row:
    """Send until more waits than the process holds in memory, with all its models and libraries."""
    queued = held = 0.0

    def until_more_waits_than_is_held() -> None:
        nonlocal queued, held
        while time.monotonic() - began < _LONGEST and queued <= _MORE_THAN_HELD * held:
            time.sleep(0.5)
            queued, held = bench.metric("agent_eval_gateway_queue_size_bytes") / 1e6, max(held, bench.memory())
        bench.enough()

    with Bench(folder) as bench:
        bench.span_bytes = _LARGE_SPAN
        bench.backends[0].answer(UNAVAILABLE)
        began = time.monotonic()
        bench.send_for(_LONGEST, until_more_waits_than_is_held)
        took = round(time.monotonic() - began, 1)
        bench.backends[0].answer(Answer())
        note = f"{queued:.0f} MB waited on disk, the process held {held:.0f} MB at most"
        return row_of(name, bench, took, note if queued > held else f"{note}: TOO LITTLE WAITED")


def _one_of_two_down(name: str, folder: Path, seconds: float, _: Path | None) -> Row:
    with Bench(folder, backends=2) as bench:
        alive, dead = bench.backends
        dead.answer(UNAVAILABLE)
        bench.send_for(seconds, lambda: (time.sleep(seconds / 2), bench.kill(), bench.start()))
        alive.wait_until(lambda: len(set(map(_id, alive.spans()))) >= len(bench.acknowledged), 60, lambda: "some")
        missing = len(bench.acknowledged - set(map(_id, alive.spans())))
        dead.answer(Answer())
        return row_of(name, bench, seconds, f"{missing} were late at the other; one kill")


def _every_answer(name: str, folder: Path, seconds: float, _: Path | None) -> Row:
    return _answered(name, folder, seconds, (*_TROUBLE, *_ERRORS), grpc=False)


def _every_code(name: str, folder: Path, seconds: float, _: Path | None) -> Row:
    answers = [Answer(grpc=code) for code in StatusCode if code is not StatusCode.OK]
    return _answered(name, folder, seconds, answers, grpc=True)


def _answered(name: str, folder: Path, seconds: float, answers: Sequence[Answer], *, grpc: bool) -> Row:
    """Give each answer twice while requests come; then send again what was refused for good."""

    def answer() -> None:
        for each in answers:
            bench.backends[0].answer(each, times=2)
            time.sleep(seconds / len(answers))

    with Bench(folder, grpc=grpc) as bench:
        bench.send_for(seconds, answer)
        time.sleep(3)
        parked = bench.metric("agent_eval_gateway_dead_letters")
        if parked:
            bench.command("queue", "resend", "otlp/0" if grpc else "otlphttp/0")
        return row_of(name, bench, seconds, f"{len(answers)} answers; {parked:.0f} requests parked, then resent")


def _full_disk(name: str, folder: Path, seconds: float, small_disk: Path | None) -> Row:
    with _small(folder, small_disk) as disk, Bench(folder, path=str(disk / "queue")) as bench:
        bench.backends[0].answer(UNAVAILABLE)
        bench.send_for(seconds)
        refused = bench.refused
        bench.backends[0].answer(Answer())
        bench.calm()
        bench.send_for(1.0)
        return row_of(name, bench, seconds, f"{refused} refusals while it was full" if refused else "IT WAS NEVER FULL")


@contextmanager
def _small(folder: Path, small_disk: Path | None) -> Iterator[Path]:
    if small_disk is not None:
        yield small_disk
        return
    disk = folder / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={_SMALL_DISK}", "tmpfs", disk], capture_output=True, check=False
    )
    if mounted.returncode:
        raise CannotRunError("a tmpfs cannot be mounted: run as root, or give --small-disk")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)


def _corrupted(name: str, folder: Path, seconds: float, _: Path | None) -> Row:
    with Bench(folder) as bench:
        bench.backends[0].answer(UNAVAILABLE)
        bench.send_for(seconds)
        bench.kill()
        damaged = _damage(max(bench.queue.glob("*.segment"), key=lambda file: file.stat().st_size))
        bench.backends[0].answer(Answer())
        bench.start()
        told = bench.metric("agent_eval_gateway_journal_unreadable_total")
        note = f"1 record of {len(damaged)} spans overwritten, {told:.0f} reported as unreadable"
        return row_of(name, bench, seconds, note, but_for=damaged if told else frozenset())


def _damage(segment: Path) -> frozenset[bytes]:
    """Overwrite some bytes in the middle of a file; return the ids of the spans that this costs."""
    size = segment.stat().st_size
    with segment.open("r+b") as file:
        hit = next(part for part in read(file, 0, size) if isinstance(part, Stored) and part.end > size // 2)
        file.seek(hit.end - 20)
        file.write(b"\xff" * 10)
    return frozenset(spans_of(hit.record.payload.body))


def _clock_jump(name: str, folder: Path, seconds: float, _: Path | None) -> Row:
    def jump() -> None:
        for offset in (_YEAR, -_YEAR, 0.0):
            time.sleep(seconds / 4)
            bench.clock.write_text(str(offset))

    with Bench(folder, max_age="1h") as bench:
        bench.backends[0].answer(UNAVAILABLE)
        bench.send_for(seconds, jump)
        bench.backends[0].answer(Answer())
        return row_of(name, bench, seconds, "a year forward, two back, and right again; max_age 1h")


def _id(span: object) -> bytes:
    return getattr(span, "span_id", b"")


ROWS: Mapping[str, Make] = {
    "kill -9 every few seconds": _killed,
    "backend down": _backend_down,
    "one of two backends down": _one_of_two_down,
    "backend slow, resetting, every HTTP answer": _every_answer,
    "backend answers every gRPC code": _every_code,
    "full disk": _full_disk,
    "corrupted queue file": _corrupted,
    "clock jump": _clock_jump,
}
"""The rows by name."""
