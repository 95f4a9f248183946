"""What cannot be read is passed over and told, and everything else is delivered."""

import logging
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from journal_samples import BOTH, opened, payload, take, take_all

from otel_agent_eval.journal import Loss
from otel_agent_eval.journal.cursor import WINDOW
from otel_agent_eval.journal.record import Damage, Record, Stored, encode, read


def files(folder: Path, suffix: str = "segment") -> list[Path]:
    return sorted(folder.glob(f"*.{suffix}"))


def stored(*numbers: int) -> bytes:
    """Return records as they lie in a file."""
    records = [Record(sequence=n, payload=payload(n), readers=("a",), time=1.5) for n in numbers]
    return b"".join(part for record in records for part in encode(record))


async def filled(folder: Path, count: int, size: int = 100) -> Path:
    """Make a journal of one file in which nothing is done."""
    async with opened(folder) as journal:
        for number in range(1, count + 1):
            await journal.append(payload(number, size), ["a"])
    return files(folder)[0]


async def delivered(folder: Path) -> list[int]:
    async with opened(folder) as journal:
        return [each.items for each in await take_all(journal.cursor("a"))]


def test_records_read_back_as_they_were(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(stored(1, 2))
    with file.open("rb") as opened_file:
        first, second = read(opened_file, 0, file.stat().st_size)
    assert isinstance(first, Stored)
    assert isinstance(second, Stored)
    assert first.record == Record(sequence=1, payload=payload(1), readers=("a",), time=1.5)
    assert second.record.payload.metadata == {"x-scope-orgid": "team-ä"}


@settings(max_examples=200)
@given(data=st.data())
def test_any_damage_costs_only_the_records_it_touches(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    content = bytearray(stored(*range(10)))
    size = len(content) // 10
    start = data.draw(st.integers(0, len(content) - 1))
    noise = data.draw(st.binary(min_size=1, max_size=2 * size))
    content[start : start + len(noise)] = noise[: len(content) - start]
    file = tmp_path_factory.mktemp("damage") / "file"
    file.write_bytes(content)
    with file.open("rb") as opened_file:
        parts = list(read(opened_file, 0, len(content)))
    untouched = {n for n in range(10) if (n + 1) * size <= start or n * size >= start + len(noise)}
    found = {part.record.sequence for part in parts if isinstance(part, Stored)}
    assert untouched <= found
    ends = [part.end for part in parts]
    assert ends == sorted(ends)
    assert ends[-1] == len(content)


@given(content=st.binary(max_size=300))
def test_bytes_that_are_no_records_are_damage(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    file = tmp_path_factory.mktemp("noise") / "file"
    file.write_bytes(content)
    with file.open("rb") as opened_file:
        assert all(isinstance(part, Damage) for part in read(opened_file, 0, len(content)))


async def test_corrupted_record_is_reported_and_the_others_are_delivered(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = await filled(tmp_path, 5)
    content = bytearray(file.read_bytes())
    with file.open("rb") as opened_file:
        _, second, third, *_ = read(opened_file, 0, len(content))
    content[(second.end + third.end) // 2] ^= 0xFF
    file.write_bytes(content)
    async with opened(tmp_path) as journal:
        assert journal.unreadable == 1
        assert [each.items for each in await take_all(journal.cursor("a"))] == [1, 2, 4, 5]
    (record,) = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert (vars(record)["file"], vars(record)["offset"], vars(record)["bytes"]) == (
        file.name,
        second.end,
        third.end - second.end,
    )


async def test_record_that_was_not_finished_is_cut_off_and_is_no_damage(tmp_path: Path) -> None:
    file = await filled(tmp_path, 3)
    whole = file.stat().st_size
    with file.open("ab") as opened_file:
        opened_file.write(stored(4)[:-1])
    async with opened(tmp_path) as journal:
        assert journal.unreadable == 0
        assert file.stat().st_size == whole
        assert [each.items for each in await take_all(journal.cursor("a"))] == [1, 2, 3]


@pytest.mark.parametrize("damage", ["empty", "gone", "noise"])
async def test_whole_file_that_cannot_be_read_costs_only_itself(tmp_path: Path, damage: str) -> None:
    first = await filled(tmp_path, 3)
    async with opened(tmp_path) as journal:
        await journal.append(payload(9), ["a"])
    if damage == "gone":
        first.unlink()
    else:
        first.write_bytes(b"" if damage == "empty" else b"\x00" * 1000)
    assert await delivered(tmp_path) == [9]


async def test_list_of_what_is_done_that_cannot_be_read_sends_again(tmp_path: Path) -> None:
    async with opened(tmp_path) as journal:
        for number in (1, 2, 3):
            await journal.append(payload(number), ["a"])
        await take(journal.cursor("a"))
    (done,) = files(tmp_path, "done")
    done.write_bytes(b"\xff{" + done.read_bytes()[2:] + b'{"for": [], "done": 7}\n[1]\n{"for": "a", "done": [2]}\n{"fo')
    assert await delivered(tmp_path) == [1, 3]


async def test_damage_while_it_runs_is_told_once_and_holds_nobody_up(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    lost = []
    async with opened(tmp_path, lose=lambda *what: lost.append(what)) as journal:
        count = 3 * (WINDOW >> 20)
        for number in range(1, count + 1):
            await journal.append(payload(number, 1 << 20), BOTH)
        second = files(tmp_path)[1]
        content = bytearray(second.read_bytes())
        content[len(content) // 2] ^= 0xFF
        second.write_bytes(content)
        await journal.append(payload(count + 1), BOTH)
        got = {name: [each.items for each in await take_all(journal.cursor(name))] for name in BOTH}
        assert journal.unreadable == 1
    (told,) = [record for record in caplog.records if "cannot be read" in record.message]
    offset, size = vars(told)["offset"], vars(told)["bytes"]
    assert vars(told)["file"] == second.name
    assert offset <= len(content) // 2 < offset + size
    assert [(name, why) for name, _, why, _ in lost] == [(name, Loss.UNREADABLE) for name in BOTH]
    for name, _, _, items in lost:
        assert sorted([*got[name], items]) == list(range(1, count + 2))


async def test_file_that_goes_while_it_is_needed_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    lost = []
    async with opened(tmp_path, lose=lambda *what: lost.append(what)) as journal:
        count = 3 * (WINDOW >> 20)
        for number in range(1, count + 1):
            await journal.append(payload(number, 1 << 20), ["a"])
        second = files(tmp_path)[1]
        second.unlink()
        got = await take_all(journal.cursor("a"))
        assert journal.unreadable == 1
    ((_, _, why, items),) = lost
    assert why is Loss.UNREADABLE
    assert items + sum(each.items for each in got) == sum(range(1, count + 1))
    (told,) = [record for record in caplog.records if "cannot be read" in record.message]
    assert (vars(told)["file"], vars(told)["offset"]) == (second.name, 0)
