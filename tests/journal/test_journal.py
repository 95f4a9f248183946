"""The journal keeps what it has confirmed, for each reader until it is done with it, and no longer."""

import asyncio
import contextlib
import errno
import logging
import os
import shutil
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from journal_samples import BOTH, READERS, opened, payload, take, take_all

from otel_agent_eval.journal import Folder, Limits, Loss, ReaderLimits, notes
from otel_agent_eval.journal.cursor import WINDOW
from otel_agent_eval.signals import Refused, Signal

DROPPING = ReaderLimits(on_full="drop_oldest")


@pytest.fixture(params=["disk", "memory"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path | None:
    return tmp_path / "queue" if request.param == "disk" else None


def files(folder: Path, suffix: str = "segment") -> list[Path]:
    return sorted(folder.glob(f"*.{suffix}"))


async def test_each_reader_gets_everything_for_it_once_and_in_order(folder: Path | None) -> None:
    sent = [payload(number) for number in range(50)]
    async with opened(folder) as journal:
        await asyncio.gather(*(journal.append(each, BOTH if each.items % 2 else ("a",)) for each in sent))
        assert await take_all(journal.cursor("a")) == sent
        assert await take_all(journal.cursor("b")) == sent[1::2]
        assert journal.cursor("a").total.requests == 0


async def test_what_is_not_done_is_there_after_a_restart_and_what_is_done_is_not(tmp_path: Path) -> None:
    sent = [payload(number, signal=list(Signal)[number % 3]) for number in range(30)]
    async with opened(tmp_path) as journal:
        for each in sent:
            await journal.append(each, BOTH)
        for _ in range(20):
            await take(journal.cursor("a"))
        await journal.cursor("b").wait()
        journal.cursor("b").take()  # given out, and not done: it may not have arrived
    async with opened(tmp_path) as journal:
        assert journal.cursor("a").total.requests == 10
        assert journal.cursor("b").total.items == {
            signal: sum(each.items for each in sent if each.signal is signal) for signal in Signal
        }
        assert await take_all(journal.cursor("a")) == sent[20:]
        assert await take_all(journal.cursor("b")) == sent
    async with opened(tmp_path) as journal:
        assert not journal.cursor("a").total.requests
    assert not files(tmp_path)


async def test_files_are_for_the_owner_only_and_go_when_nobody_needs_them(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "queue"
    async with opened(folder, size=1 << 20) as journal:
        for number in range(40):
            await journal.append(payload(number, 10_000), ("a",))
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert {stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()} == {0o600}
        assert len(files(folder)) > 3
        await take_all(journal.cursor("a"))
    async with opened(folder):
        pass
    assert not files(folder)
    assert not files(folder, "done")


async def test_a_reader_that_falls_behind_is_read_to_from_the_disk(tmp_path: Path) -> None:
    sent = [payload(number, 1 << 20) for number in range(3 * (WINDOW >> 20))]
    async with opened(tmp_path) as journal:
        fast, slow = (journal.cursor(name) for name in BOTH)
        for each in sent:
            await journal.append(each, BOTH)
            assert (await take(fast)).payload == each
        at_hand = sum(len(entry.payload.body) for entry in slow._held.values())
        assert at_hand <= WINDOW
        await take(slow)
        more = payload(99)
        await journal.append(more, BOTH)
        assert await take_all(slow) == [*sent[1:], more]


async def test_room_counts_all_that_is_kept_and_one_request_always_fits(folder: Path | None) -> None:
    async with opened(folder, size=1 << 20) as journal:
        assert journal.room(BOTH, 1 << 30)
        await journal.append(payload(1, 1 << 19), BOTH)
        assert journal.room(BOTH, 1 << 18)
        assert not journal.room(BOTH, 1 << 20)
        await take(journal.cursor("a"))
        assert not journal.room(BOTH, 1 << 20)
        await take(journal.cursor("b"))
        assert journal.room(BOTH, 1 << 20)


async def test_a_readers_own_limit_concerns_only_what_is_for_it(folder: Path | None) -> None:
    async with opened(folder, {"a": ReaderLimits(bytes=100), "b": ReaderLimits()}) as journal:
        await journal.append(payload(1, 60), BOTH)
        assert not journal.room(["a"], 41)
        assert not journal.room(BOTH, 41)
        assert journal.room(["b"], 10_000)


async def test_only_readers_that_ask_for_it_lose_what_is_oldest(folder: Path | None) -> None:
    lost: list[tuple[str, Signal, Loss, int]] = []
    limits = {"a": DROPPING, "b": DROPPING}
    async with opened(folder, limits, size=1 << 20, lose=lambda *what: lost.append(what)) as journal:
        kept, dropping = journal.cursor("a"), journal.cursor("b")
        sent = [payload(number, 30_000) for number in range(1, 101)]
        for each in sent:
            assert journal.room(BOTH, 30_000)
            await journal.append(each, BOTH)
            assert (await take(kept)).payload == each
        rest = await take_all(dropping)
    assert {(name, why) for name, _, why, _ in lost} == {("b", Loss.FULL)}
    assert rest == sent[-len(rest) :]
    assert sum(items for *_, items in lost) + sum(each.items for each in rest) == sum(each.items for each in sent)


async def test_who_refuses_holds_what_others_may_drop(folder: Path | None) -> None:
    async with opened(folder, {"a": DROPPING, "b": ReaderLimits()}, size=1 << 20) as journal:
        number = 0
        while journal.room(BOTH, 30_000):
            number += 1
            await journal.append(payload(number, 30_000), BOTH)
        assert number > 30
        assert journal.cursor("b").total.requests == number


@pytest.mark.parametrize("arrives", [True, False])
async def test_what_is_given_up_while_it_is_sent_is_lost_only_if_it_does_not_arrive(
    folder: Path | None, *, arrives: bool
) -> None:
    lost: list[tuple[str, Signal, Loss, int]] = []
    async with opened(folder, {"a": DROPPING}, size=1 << 20, lose=lambda *what: lost.append(what)) as journal:
        cursor = journal.cursor("a")
        for number in range(1, 101):
            assert journal.room(["a"], 30_000)
            await journal.append(payload(number, 30_000), ["a"])
            if number == 1:
                await cursor.wait()
                first = cursor.take()
        got = [each.items for each in await take_all(cursor)]
        emptied = asyncio.ensure_future(cursor.empty())
        await asyncio.sleep(0)
        assert not emptied.done()  # a stop waits for what is being sent
        assert sum(items for *_, items in lost) + sum(got) == sum(range(2, 101))
        if arrives:
            assert cursor.done(first)
        else:
            cursor.give_back([first])
        await emptied
        assert not cursor.done(first)
    assert {(name, why) for name, _, why, _ in lost} == {("a", Loss.FULL)}
    assert sum(items for *_, items in lost) + sum(got) == sum(range(1 if not arrives else 2, 101))


async def test_what_is_too_old_goes_and_is_counted_and_a_clock_that_is_set_ages_nothing(
    folder: Path | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, lost = 1000.0, []
    async with opened(folder, max_age=60, clock=lambda: now, lose=lambda *what: lost.append(what)) as journal:
        await journal.append(payload(7), ["a"])
        monkeypatch.setattr("time.time", lambda: 1e10)
        journal._kept.purge()
        assert journal.cursor("a").total.requests == 1
        now += 61
        journal._kept.purge()
        assert not journal.cursor("a").total.requests
    assert lost == [("a", Signal.TRACES, Loss.EXPIRED, 7)]


async def test_what_keeps_coming_does_not_keep_what_is_too_old(tmp_path: Path) -> None:
    now, lost = 1000.0, []
    async with opened(tmp_path, max_age=60, clock=lambda: now, lose=lambda *what: lost.append(what)) as journal:
        for number in range(1, 21):
            now += 10
            await journal.append(payload(number), ["a"])
            journal._kept.purge()
        assert 3 <= journal.cursor("a").total.requests <= 8
    assert sum(items for *_, items in lost) > 60


async def test_content_does_not_stay_when_all_is_delivered(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        await journal.append(payload(1), BOTH)
        for name in BOTH:
            await take(journal.cursor(name))
        journal._kept.purge()
        async with asyncio.timeout(5):
            while files(tmp_path):  # noqa: ASYNC110 (the disk is looked at)
                await asyncio.sleep(0.01)


async def test_what_was_delivered_goes_in_two_minutes_though_more_to_recall_keeps_coming(tmp_path: Path) -> None:
    now, limits = 1000.0, {"a": ReaderLimits(), "judge": ReaderLimits()}
    async with opened(tmp_path, limits, recalling={"judge"}, clock=lambda: now) as journal:
        seen: dict[Path, float] = {}
        for number in range(100):
            entry = await journal.append(payload(number), ["a", "judge"])
            journal.receipt(entry.mark, "judge").release()
            await take(journal.cursor("a"))
            now += 5
            journal._kept.purge()
            seen = {file: seen.get(file, now) for file in files(tmp_path)}
            assert all(now - since <= 130 for since in seen.values())  # a file's deletion is seen a step later
            assert len(seen) <= 4


async def test_what_waits_for_a_dead_destination_takes_no_file_a_minute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("otel_agent_eval.journal.limits._YOUNG", 4)
    now, limits = 1000.0, {"a": ReaderLimits(), "judge": ReaderLimits()}
    async with opened(tmp_path, limits, recalling={"judge"}, clock=lambda: now) as journal:
        for number in range(400):  # for 200 minutes
            entry = await journal.append(payload(number), ["a", "judge"])
            journal.receipt(entry.mark, "judge").release()
            now += 30
            journal._kept.purge()
        assert 8 < len(files(tmp_path)) < 50


def test_no_file_grows_older_than_a_part_of_the_age_at_which_it_goes() -> None:
    limits = Limits(max_age=1600.0, recall=60.0)
    assert [limits.recalled_age(segments) for segments in (1, 64, 96, 106, 107, 10**6)] == [
        60.0,
        60.0,
        90.0,
        pytest.approx(99.375),
        100.0,
        100.0,
    ]


async def test_records_are_recalled_with_what_became_of_them(tmp_path: Path) -> None:
    recalling = {"limits": {**READERS, "judge": ReaderLimits()}, "recalling": {"judge"}}
    async with opened(tmp_path, recalling["limits"], recalling={"judge"}) as journal:
        first = await journal.append(payload(1), ["a", "judge"])
        await journal.append(payload(2), ["judge"])
        await journal.append(payload(3), ["a"])
        journal.receipt(first.mark, "judge").release()
        await take_all(journal.cursor("a"))
    async with opened(tmp_path, recalling["limits"], recalling={"judge"}) as journal:
        found = [recalled async for recalled in journal.recall("judge")]
        assert [(recalled.entry.payload.items, recalled.readers, recalled.done) for recalled in found] == [
            (1, ("a", "judge"), True),
            (2, ("judge",), False),
        ]
        journal.receipt(found[1].entry.mark, "judge").release()
    async with opened(tmp_path, recalling["limits"], recalling={"judge"}) as journal:
        assert not [recalled async for recalled in journal.recall("judge")]


async def test_requests_for_destinations_that_are_gone_stay_until_room_is_needed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(tmp_path, size=1 << 20) as journal:
        await journal.append(payload(1, 900_000), ["b"])
    async with opened(tmp_path, {"a": ReaderLimits()}, size=1 << 20) as journal:
        assert "not configured" in caplog.text
        assert journal.room(["a"], 10_000)
        await journal.append(payload(2), ["a"])
    async with opened(tmp_path, size=1 << 20) as journal:  # it is back
        assert [each.items for each in await take_all(journal.cursor("b"))] == [1]
    async with opened(tmp_path, {"a": ReaderLimits()}, size=1 << 20) as journal:
        await journal.append(payload(3, 900_000), ["b"])
    async with opened(tmp_path, {"a": ReaderLimits()}, size=1 << 20) as journal:
        await journal.append(payload(4), ["a"])
        assert journal.room(["a"], 200_000)
    async with opened(tmp_path, size=1 << 20) as journal:
        assert not journal.cursor("b").total.requests
        assert [each.items for each in await take_all(journal.cursor("a"))] == [2, 4]


@pytest.mark.parametrize("left", ["both", "segment"])
async def test_what_a_kill_leaves_of_a_segment_that_is_deleted_is_no_loss_and_concerns_no_other(
    tmp_path: Path, left: str
) -> None:
    async with opened(tmp_path) as journal:
        await journal.append(payload(1), BOTH)
        await take(journal.cursor("a"))
    (segment,) = files(tmp_path)
    segment.rename(segment.with_suffix(".freed"))
    if left == "segment":
        files(tmp_path, "done")[0].unlink()
    async with opened(tmp_path) as journal:
        assert not journal.unreadable
        assert not files(tmp_path, "freed")
        await journal.append(payload(2), BOTH)
    async with opened(tmp_path) as journal:
        assert [each.items for each in await take_all(journal.cursor("a"))] == [2]


class Killed(BaseException):
    """A process that ends there and then."""


@pytest.mark.parametrize("steps", range(4))
async def test_a_kill_while_a_segment_is_deleted_loses_nothing_and_sends_nothing_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    folder, copy = tmp_path / "queue", tmp_path / "killed"
    async with opened(folder) as journal:
        await journal.append(payload(1), BOTH)
        for name in BOTH:
            await take(journal.cursor(name))
        async with asyncio.timeout(5):
            while notes.read(Folder(folder).done(1)).keys() != {*BOTH}:  # noqa: ASYNC110 (the disk is looked at)
                await asyncio.sleep(0.01)
        shutil.copytree(folder, copy)  # as a kill leaves it
    left = steps

    def counted(step: Callable[..., None]) -> Callable[..., None]:
        def take_step(*arguments: object) -> None:
            nonlocal left
            if not left:
                raise Killed
            left -= 1
            step(*arguments)

        return take_step

    with monkeypatch.context() as patch, contextlib.suppress(Killed):
        for name in ("rename", "unlink"):
            patch.setattr(os, name, counted(getattr(os, name)))
        Folder(copy).delete(1)
    async with opened(copy) as journal:
        assert not journal.unreadable
        assert [journal.cursor(name).total.requests for name in BOTH] == [0, 0]
    assert not left  # there were as many steps
    assert not [*files(copy), *files(copy, "done"), *files(copy, "freed")]


async def test_segment_that_somebody_deleted_is_told_and_its_list_concerns_no_other(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(tmp_path) as journal:
        await journal.append(payload(1), BOTH)
        await take(journal.cursor("a"))
    (segment,) = files(tmp_path)
    segment.unlink()
    async with opened(tmp_path) as journal:
        assert journal.unreadable == 1
        await journal.append(payload(2), BOTH)
    (told,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert vars(told)["file"] == segment.name
    async with opened(tmp_path) as journal:
        assert not journal.unreadable
        assert [each.items for each in await take_all(journal.cursor("a"))] == [2]


@pytest.mark.parametrize("fsync", ["always", "interval", "never"])
async def test_every_fsync_policy_keeps_what_a_kill_leaves(tmp_path: Path, fsync: str) -> None:
    async with opened(tmp_path, fsync=fsync) as journal:
        await asyncio.gather(*(journal.append(payload(number), ["a"]) for number in range(20)))
        (file,) = files(tmp_path)
        content = file.read_bytes()  # as it lies there while the process runs
    assert all(payload(number).body in content for number in range(20))


async def test_full_disk_refuses_keeps_what_was_confirmed_and_recovers_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, full = os.write, False

    def limited(file: int, content: bytes) -> int:
        if not full:
            return write(file, content)
        write(file, bytes(content)[: len(content) // 2])  # as much as there was room for
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("otel_agent_eval.journal.writer.os.write", limited)
    async with opened(tmp_path) as journal:
        await journal.append(payload(1), ["a"])
        full = True
        with pytest.raises(Refused, match="No space left"):
            await journal.append(payload(2), ["a"])
        assert (await take(journal.cursor("a"))).payload == payload(1)
        full = False
        await journal.append(payload(4), ["a"])
    async with opened(tmp_path) as journal:
        assert not journal.unreadable
        assert [each.items for each in await take_all(journal.cursor("a"))] == [4]


async def test_full_disk_lets_go_of_what_is_kept_only_to_be_recalled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, limits = os.write, {"a": ReaderLimits(), "judge": ReaderLimits()}

    def full_while_there_is_a_file(file: int, content: bytes) -> int:
        if len(files(tmp_path)) > 1 or files(tmp_path)[0].stat().st_size:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(file, content)

    async with opened(tmp_path, limits, recalling={"judge"}) as journal:
        entry = await journal.append(payload(1), ["a", "judge"])
        journal.receipt(entry.mark, "judge").release()
        monkeypatch.setattr("otel_agent_eval.journal.writer.os.write", full_while_there_is_a_file)
        with pytest.raises(Refused, match="No space left"):
            await journal.append(payload(2), ["a"])
        assert files(tmp_path)  # it waits for a destination
        await take(journal.cursor("a"))
        with pytest.raises(Refused, match="No space left"):
            await journal.append(payload(3), ["a"])
        async with asyncio.timeout(5):
            while files(tmp_path):  # noqa: ASYNC110 (the disk is looked at)
                await asyncio.sleep(0.01)
        await journal.append(payload(4), ["a"])


async def test_a_disk_that_fails_leaves_what_is_kept_to_be_recalled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> int:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    limits = {"judge": ReaderLimits()}
    async with opened(tmp_path, limits, recalling={"judge"}) as journal:
        entry = await journal.append(payload(1), ["judge"])
        journal.receipt(entry.mark, "judge").release()
        monkeypatch.setattr("otel_agent_eval.journal.writer.os.write", broken)
        for _ in range(3):  # the file would be closed after the first, and deleted after the second
            with pytest.raises(Refused, match="Input/output error"):
                await journal.append(payload(2), ["judge"])
        assert payload(1).body in files(tmp_path)[0].read_bytes()


async def test_what_a_full_disk_cannot_take_is_delivered_from_memory_and_frees_what_waits_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    async with opened(tmp_path) as journal:
        await journal.append(payload(1), ["a"])
        monkeypatch.setattr("otel_agent_eval.journal.writer.os.write", full)
        kept = [asyncio.create_task(journal.keep(payload(n), BOTH)) for n in (2, 3)]
        got = [(await take(journal.cursor("a"))).payload.items for _ in range(3)]
        assert got == [1, 2, 3]
        await take(journal.cursor("b"))
        assert await kept[0]
        assert not kept[1].done()  # one of two has it
    assert not await kept[1]


@settings(max_examples=30)
@given(
    steps=st.lists(st.tuples(st.integers(0, 3), st.integers(10, 40_000)), max_size=40),
    restarts=st.sets(st.integers(0, 40), max_size=4),
)
def test_after_any_steps_and_restarts_nothing_is_lost_or_comes_twice(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, int]], restarts: set[int]
) -> None:
    folder = tmp_path_factory.mktemp("journal")

    async def main() -> None:
        sent: list[int] = []
        got: dict[str, list[int]] = {"a": [], "b": []}
        runs: list[list[tuple[int, int]]] = [[]]
        for number, step in enumerate(steps):
            if number in restarts:
                runs.append([])
            runs[-1].append(step)
        for run in runs:
            async with opened(folder, size=1 << 20) as journal:
                for kind, size in run:
                    if kind < 2:
                        sent.append(len(sent) + 1)
                        await journal.append(payload(sent[-1], size), BOTH)
                    elif journal.cursor(BOTH[kind - 2]).total.requests:
                        got[BOTH[kind - 2]].append((await take(journal.cursor(BOTH[kind - 2]))).payload.items)
        async with opened(folder, size=1 << 20) as journal:
            for name in BOTH:
                got[name] += [each.items for each in await take_all(journal.cursor(name))]
                assert got[name] == sent

    asyncio.run(main())
