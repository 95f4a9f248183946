"""What a destination will never take is parked: bounded, readable by the owner only, and sent again when asked."""

import errno
import os
from pathlib import Path
from typing import Any

import pytest
from queued import Queued
from test_merged_requests import Picky, request

from otel_agent_eval.delivery import DeadLetters, LetterLimits, RetrySettings
from otel_agent_eval.journal import Folder
from otel_agent_eval.signals import Payload, Signal

NAME = "otlp/tempo eu"


def payload(number: int, size: int = 100) -> Payload:
    return Payload(Signal.LOGS, b"x" * size, number, {"x-scope-orgid": "team-a"})


def test_letters_are_kept_with_all_that_is_needed_to_send_them_and_the_reason(tmp_path: Path) -> None:
    letters = DeadLetters(Folder(tmp_path))
    for number in range(3):
        letters.park(NAME, payload(number), f"HTTP 40{number}")
    records = [letter.record for letter in letters.letters(NAME)]
    assert [record.payload for record in records] == [payload(number) for number in range(3)]
    assert [record.reason for record in records] == ["HTTP 400", "HTTP 401", "HTTP 402"]
    assert list(Folder(tmp_path).destinations("dead")) == [NAME]
    assert {file.stat().st_mode & 0o077 for file in tmp_path.rglob("*")} == {0}


def test_the_oldest_go_when_they_are_too_many_or_too_old(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    now = 1e9 * 2
    letters = DeadLetters(Folder(tmp_path), LetterLimits(size=5_000, max_age=1e9), clock=lambda: now)
    for number in range(10):
        letters.park(NAME, payload(number, 1_000), "HTTP 400")
    kept = [letter.record.payload.items for letter in letters.letters(NAME)]
    assert kept == list(range(10 - len(kept), 10))
    assert 2 <= len(kept) <= 5
    assert len(caplog.records) == 10 - len(kept)
    now = 1e10
    letters.purge(NAME)
    assert letters.count(NAME) == 0


def test_letter_that_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    letters = DeadLetters(Folder(tmp_path))
    letters.park(NAME, payload(1), "HTTP 400")
    letters.park(NAME, payload(2), "HTTP 400")
    first = next(letters.letters(NAME)).file
    first.write_bytes(first.read_bytes()[:-1])
    assert [letter.record.payload.items for letter in letters.letters(NAME)] == [2]


async def test_only_the_bad_one_of_merged_requests_is_parked(tmp_path: Path) -> None:
    letters = DeadLetters(Folder(tmp_path))
    queued = Queued(Picky(), dead_letters=letters)
    for name in ("a", "poison", "b"):
        await queued.put(request(name))
    await queued.start()
    await queued.stop(5)
    (letter,) = letters.letters("picky")
    assert letter.record.payload == request("poison")
    assert letter.record.reason == "INVALID_ARGUMENT"
    assert queued.stats().dead_letters == 1


async def test_full_disk_loses_no_dead_letter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    letters = DeadLetters(Folder(tmp_path))
    park, failures = letters.park, 3

    def full(*arguments: Any) -> None:
        nonlocal failures
        failures -= 1
        if failures >= 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        park(*arguments)

    monkeypatch.setattr(letters, "park", full)
    monkeypatch.setattr("otel_agent_eval.delivery.destination._PARK_AGAIN_AFTER", 0.01)
    queued = Queued(Picky(), dead_letters=letters, retry=RetrySettings(initial_interval=0.01))
    await queued.put(request("poison"))
    await queued.start()
    await queued.stop(5)
    assert letters.count("picky") == 1
