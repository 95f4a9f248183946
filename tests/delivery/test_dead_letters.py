"""What a destination will never take is parked: bounded, readable by the owner only, and sent again when asked."""

import asyncio
import errno
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from queued import Queued
from test_merged_requests import Picky, request

from otel_agent_eval.delivery import DeadLetters, LetterLimits, RetrySettings, StrayLetters, TooManyLettersError
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
    assert sum(vars(record)["requests"] for record in caplog.records) == 10 - len(kept)
    now = 1e10
    caplog.clear()
    letters.purge()
    assert letters.count(NAME) == 0
    assert [vars(record)["requests"] for record in caplog.records] == [len(kept)]


def listings(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Return the list to which each listing of a folder adds its path from now on."""
    listed, listdir = list[Path](), os.listdir
    monkeypatch.setattr("os.listdir", lambda path: (listed.append(path), listdir(path))[1])
    return listed


def test_letters_are_listed_to_be_counted_only_where_their_folder_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    letters = DeadLetters(Folder(tmp_path), clock=lambda: time.time() + 10)
    for number in range(3):
        letters.park(NAME, payload(number), "HTTP 400")
    listed = listings(monkeypatch)
    assert [(letters.count(NAME), letters.count_returning(NAME)) for _ in range(10)] == [(3, 0)] * 10
    assert len(listed) == 1
    DeadLetters(Folder(tmp_path)).resend(NAME, NAME)  # the command line
    listed.clear()
    assert [(letters.count(NAME), letters.count_returning(NAME)) for _ in range(10)] == [(0, 3)] * 10
    assert len(listed) == 2


def test_what_others_do_is_noticed_where_times_are_kept_in_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stat = Path.stat

    def coarse(path: Path) -> os.stat_result:
        found = stat(path)
        return os.stat_result(tuple(found), {"st_ctime_ns": int(found.st_ctime) * 10**9})

    letters, others = (DeadLetters(Folder(tmp_path)) for _ in range(2))
    counted = []
    for number in range(20):
        others.park(NAME, payload(number), "HTTP 400")
        with monkeypatch.context() as patch:
            patch.setattr(Path, "stat", coarse)
            counted.append(letters.count(NAME))
    assert counted == list(range(1, 21))


def test_parking_seldom_looks_at_what_is_parked_already(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    letters = DeadLetters(Folder(tmp_path), LetterLimits(size=100_000))
    listed = listings(monkeypatch)
    for number in range(1_000):
        letters.park(NAME, payload(number), "HTTP 400")
    kept = [letter.record.payload.items for letter in letters.letters(NAME)]
    assert kept == list(range(1_000 - len(kept), 1_000))
    assert 90_000 < sum(file.stat().st_size for file in tmp_path.rglob("*.letter")) <= 100_000
    assert 2 < len(listed) < 100


def test_no_letter_is_deleted_for_others_that_are_sent_again(tmp_path: Path) -> None:
    letters = DeadLetters(Folder(tmp_path), LetterLimits(size=5_000))
    for number in range(6):
        letters.park(NAME, payload(number, 1_000), "HTTP 400")
        if number == 2:
            letters.resend(NAME, NAME)
    assert (letters.count(NAME), letters.count_returning(NAME)) == (3, 3)


def test_a_letter_as_large_as_the_limit_is_kept(tmp_path: Path) -> None:
    letters = DeadLetters(Folder(tmp_path))
    letters.park("probe", payload(1), "HTTP 400")
    size = next(letters.letters("probe")).file.stat().st_size
    letters = DeadLetters(
        Folder(tmp_path), LetterLimits(size=size + 10)
    )  # the time that it bears is not always as long
    for number in (7, 8):
        letters.park("prob2", payload(number), "HTTP 400")
        assert [letter.record.payload.items for letter in letters.letters("prob2")] == [number]


def test_letter_that_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    letters = DeadLetters(Folder(tmp_path))
    letters.park(NAME, payload(1), "HTTP 400")
    letters.park(NAME, payload(2), "HTTP 400")
    first = next(letters.letters(NAME)).file
    first.write_bytes(first.read_bytes()[:-1])
    assert [letter.record.payload.items for letter in letters.letters(NAME)] == [2]


def test_what_nobody_sends_goes_with_age_too(tmp_path: Path) -> None:
    letters = DeadLetters(Folder(tmp_path), LetterLimits(max_age=3600.0))
    for name in ("parked", "moved"):
        letters.park(name, payload(1), "HTTP 400")
    letters.resend("moved", to="nobody")
    aged("dead", tmp_path, 7200)
    aged("resend", tmp_path, 1800)
    letters.purge()
    assert [(name, letters.count(name), letters.count_returning(name)) for name in letters.destinations()] == [
        ("moved", 0, 0),
        ("nobody", 0, 1),
        ("parked", 0, 0),
    ]
    aged("resend", tmp_path, 7200)
    letters.purge()
    assert letters.count_returning("nobody") == 0


def test_what_is_sent_again_is_as_old_as_the_wish(tmp_path: Path) -> None:
    letters = DeadLetters(Folder(tmp_path), LetterLimits(max_age=3600.0))
    letters.park(NAME, payload(1), "HTTP 400")
    aged("dead", tmp_path, 7200)  # no gateway ran
    letters.resend(NAME, NAME)
    letters.purge()
    assert letters.count_returning(NAME) == 1


def test_of_what_is_sent_again_the_oldest_wish_goes_first(tmp_path: Path) -> None:
    letters = DeadLetters(Folder(tmp_path), LetterLimits(max_age=3600.0))
    letters.park(NAME, payload(1), "HTTP 400")
    letters.park("other", payload(2), "HTTP 400")
    letters.resend("other", to=NAME)
    aged("resend", tmp_path, 7200)
    letters.resend(NAME, to=NAME)  # parked before the other
    letters.purge()
    assert [letter.record.payload.items for letter in letters.returning(NAME)] == [1]


def test_nothing_is_sent_again_and_again_because_it_cannot_be_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    letters = DeadLetters(Folder(tmp_path))
    letters.park(NAME, payload(1), "HTTP 400")
    letters.resend(NAME, to=NAME)
    monkeypatch.setattr("os.access", lambda *_: False)  # to root no mode denies anything
    assert list(letters.returning(NAME)) == []
    assert "cannot be written" in vars(caplog.records[0])["error"]


def test_no_wish_to_send_again_deletes_anything(tmp_path: Path) -> None:
    letters = DeadLetters(Folder(tmp_path), LetterLimits(size=2_000))
    for name in ("a", "b"):
        letters.park(name, payload(1, 1_000), "HTTP 400")
    assert letters.resend("a", to="b") == 1
    with pytest.raises(TooManyLettersError):
        letters.resend("b", to="b")
    assert (letters.count("b"), letters.count_returning("b")) == (1, 1)


def test_what_cannot_be_read_is_not_sent_again_and_nothing_is_made_for_nothing(tmp_path: Path) -> None:
    unreadable: list[tuple[Path, str]] = []
    letters = DeadLetters(Folder(tmp_path), unreadable=lambda *told: unreadable.append(told))
    letters.park(NAME, payload(1), "HTTP 400")
    (file,) = tmp_path.rglob("*.letter")
    file.write_bytes(file.read_bytes()[:-1])
    assert letters.resend(NAME, NAME) == 0
    assert unreadable == [(file, "it is damaged")]
    assert not (tmp_path / "resend").exists()


def test_what_can_never_be_read_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    letters = DeadLetters(Folder(tmp_path))
    letters.park(NAME, payload(1), "HTTP 400")
    letters.resend(NAME, NAME)
    (file,) = tmp_path.rglob("*.letter")
    file.write_bytes(b"")
    (tmp_path / "resend" / "file").write_text("in place of a folder")
    for _ in range(3):
        assert [*letters.returning(NAME), *letters.returning("file")] == []
    assert [record.__dict__["file"] for record in caplog.records] == [str(file), str(tmp_path / "resend" / "file")]


@pytest.mark.skipif(os.geteuid() != 0, reason="root only may give a folder to somebody")
def test_root_may_ask_for_the_queue_of_another_user(tmp_path: Path) -> None:
    letters = DeadLetters(Folder(tmp_path))
    letters.park(NAME, payload(1), "HTTP 400")
    for file in (tmp_path, *tmp_path.rglob("*")):
        os.chown(file, 12345, 12345)
    letters.resend(NAME, NAME)
    assert {file.stat().st_uid for file in tmp_path.rglob("*")} == {12345}


async def test_letters_of_destinations_that_are_gone_are_counted_and_deleted_with_age(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("otel_agent_eval.delivery.delivery._LOOK_EVERY", 0.01)
    monkeypatch.setattr("otel_agent_eval.delivery.delivery._PURGE_EVERY", 2)
    letters = DeadLetters(Folder(tmp_path), LetterLimits(max_age=3600.0))
    for name in ("picky", "old", "gone", "moved"):
        letters.park(name, payload(1), "HTTP 400")
    letters.resend("moved", to="nobody")
    aged("dead/old", tmp_path, 7200)
    queued = Queued(Picky(), dead_letters=letters)
    await queued.start()
    both = [StrayLetters("gone", 1, 0), StrayLetters("nobody", 0, 1)]
    await until(lambda: queued.delivery.strays() == both and letters.count("old") == 0)
    assert queued.stats().dead_letters == 1
    letters.resend("picky", to="gone")
    await until(lambda: queued.stats().dead_letters == 0)
    aged("resend", tmp_path, 7200)
    await until(lambda: queued.delivery.strays() == both[:1])
    await queued.stop(5)


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not true():  # noqa: ASYNC110 (a thread looks at the disk)
            await asyncio.sleep(0.01)


def aged(below: str, folder: Path, seconds: float) -> None:
    """Let files look older than they are."""
    then = time.time() - seconds
    for file in (folder / below).rglob("*.letter"):
        os.utime(file, (then, then))


def undeletable(folder: Path) -> Path:
    """Return what looks like an old letter, and which is no file."""
    file = folder / "0.letter"
    file.mkdir(parents=True)
    os.utime(file, (0, 0))
    return file


def test_what_cannot_be_deleted_keeps_nothing_from_being_parked_and_nothing_else_for_ever(tmp_path: Path) -> None:
    undeletable(tmp_path / "dead" / "a")
    letters = DeadLetters(Folder(tmp_path), LetterLimits(size=3_000, max_age=3600.0))
    for name in ("a", "b"):
        letters.park(name, payload(1), "HTTP 400")
    aged("dead/b", tmp_path, 7200)
    aged("dead/a", tmp_path, 7200)
    with pytest.raises(IsADirectoryError):
        letters.purge()
    assert [letters.count(name) for name in ("a", "b")] == [1, 0]  # the folder is counted


async def test_letters_are_sent_again_though_others_cannot_be_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("otel_agent_eval.delivery.delivery._LOOK_EVERY", 0.01)
    monkeypatch.setattr("otel_agent_eval.delivery.delivery._PURGE_EVERY", 2)
    undeletable(tmp_path / "dead" / "a")
    letters, picky = DeadLetters(Folder(tmp_path)), Picky()
    queued = Queued(picky, dead_letters=letters)
    await queued.start()
    await until(lambda: "cannot be deleted" in caplog.text)
    letters.park("picky", payload(1), "HTTP 400")
    letters.resend("picky", "picky")
    await until(lambda: picky.sent == [payload(1)])
    await queued.stop(5)
    (told,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert told.message == "dead letters that are too old or too many cannot be deleted"


async def test_a_letter_that_cannot_be_deleted_is_sent_once_and_holds_up_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("otel_agent_eval.delivery.delivery._LOOK_EVERY", 0.01)
    letters, picky = DeadLetters(Folder(tmp_path)), Picky()
    queued = Queued(picky, dead_letters=letters)
    for number in (1, 2):
        letters.park("picky", payload(number), "HTTP 400")
    first = next(letters.letters("picky")).file.name
    letters.resend("picky", "picky")
    unlink = Path.unlink

    def denied(file: Path, *, missing_ok: bool = False) -> None:
        if file.name == first:  # to root nothing is denied
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))
        unlink(file, missing_ok=missing_ok)

    monkeypatch.setattr(Path, "unlink", denied)
    await queued.start()
    await until(lambda: letters.count_returning("picky") == 1)
    letters.park("picky", payload(3), "HTTP 400")
    letters.resend("picky", "picky")
    await until(lambda: len(picky.sent) >= 3)
    await queued.stop(5)
    assert picky.sent == [payload(number) for number in (1, 2, 3)]
    (told,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert "a restart sends them again" in told.message


@pytest.mark.parametrize(("most", "told"), [({}, [256, 344]), ({"_MOST_BYTES": 20_000}, [200, 400])])
async def test_many_letters_are_sent_again_at_a_time_and_told_in_few_lines(
    most: dict[str, int],
    told: list[int],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level("INFO")
    for name, value in {"_LOOK_EVERY": 0.01, "_PURGE_EVERY": 10**6, **most}.items():
        monkeypatch.setattr(f"otel_agent_eval.delivery.delivery.{name}", value)
    letters, picky = DeadLetters(Folder(tmp_path)), Picky()
    for number in range(600):
        letters.park("picky", payload(number), "HTTP 400")
    letters.resend("picky", "picky")
    queued = Queued(picky, dead_letters=letters)
    await queued.start()
    said = "dead letters are sent again"
    await until(lambda: caplog.messages.count(said) == 2)  # after the first look, and when none is left
    await queued.stop(5)
    assert [vars(record)["requests"] for record in caplog.records if record.message == said] == told
    assert sum(sent.items for sent in picky.sent) == sum(range(600))


async def test_only_the_bad_one_of_merged_requests_is_parked_and_the_log_says_where(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    letters = DeadLetters(Folder(tmp_path))
    queued = Queued(Picky(), dead_letters=letters)
    for name in ("a", "poison", "b"):
        await queued.put(request(name))
    await queued.start()
    await queued.stop(5)
    (letter,) = letters.letters("picky")
    assert letter.record.payload == request("poison")
    (told,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert "they lie under dead/ in the queue's folder: see `otel-agent-eval queue dead`" in told.message
    fields = {"destination": "picky", "error": "INVALID_ARGUMENT", "signal": "traces", "items": 1}
    assert fields.items() <= vars(told).items()
    assert letter.record.reason == "INVALID_ARGUMENT"
    assert queued.stats().dead_letters == 1


async def test_full_disk_loses_no_dead_letter_and_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
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
    assert [record.levelname for record in caplog.records if "cannot be written" in record.message] == ["ERROR"]
