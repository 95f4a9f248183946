"""Of a request that was taken apart, the next process is given what had not left."""

import asyncio
from pathlib import Path

import pytest
from journal_samples import opened, payload

from otel_agent_eval.journal import Journal, ReaderLimits, Receipt
from otel_agent_eval.journal import notes as notes_beside

JUDGE = {"judge": ReaderLimits()}


async def left(journal: Journal) -> list[tuple[int, bool, frozenset[int] | None]]:
    return [(each.entry.payload.items, each.done, each.left) async for each in journal.recall("judge")]


async def settled() -> None:
    """Let the journal note what it was told."""
    await asyncio.sleep(0)
    await asyncio.sleep(0)


async def test_parts_that_have_left_are_known_after_a_restart(tmp_path: Path) -> None:
    async with opened(tmp_path, JUDGE, recalling={"judge"}) as journal:
        receipts = [journal.receipt((await journal.append(payload(n), ["judge"])).mark, "judge") for n in (1, 2, 3)]
        for receipt in receipts:
            parts = [receipt.part(position) for position in (0, 4, 7)]
            receipt.release()
            await settled()
            if receipt is not receipts[0]:
                parts[1].release()
                await settled()
            if receipt is receipts[2]:
                parts[0].release()
                parts[2].release()
    async with opened(tmp_path, JUDGE, recalling={"judge"}) as journal:
        assert await left(journal) == [(1, False, frozenset({0, 4, 7})), (2, False, frozenset({0, 7})), (3, True, None)]


async def test_nothing_is_noted_of_a_request_whose_rest_has_not_left(tmp_path: Path) -> None:
    async with opened(tmp_path, JUDGE, recalling={"judge"}) as journal:
        receipt = journal.receipt((await journal.append(payload(1), ["judge"])).mark, "judge")
        judged = receipt.part(0)
        receipt.part(4)
        receipt.hold()  # the rest is on its way
        receipt.release()  # it was read
        judged.release()
        await settled()
    async with opened(tmp_path, JUDGE, recalling={"judge"}) as journal:
        assert await left(journal) == [(1, False, None)]


async def test_notes_are_taken_once_for_all_that_leaves_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened(tmp_path, JUDGE) as journal:
        told: list[object] = []
        assert journal._writer is not None
        put = journal._writer.put
        monkeypatch.setattr(journal._writer, "put", lambda task: (told.append(task), put(task)))
        receipt = journal.receipt((await journal.append(payload(1), ["judge"])).mark, "judge")
        parts = [receipt.part(position) for position in range(500)]
        receipt.release()
        for part in parts[1:]:
            part.release()
        await settled()
        assert [getattr(task, "positions", ()) for task in told[1:]] == [[0]]


def test_receipt_is_free_when_all_parts_and_the_rest_are() -> None:
    free: list[bool] = []
    narrowed: list[set[int]] = []
    receipt = Receipt(lambda: free.append(True), lambda left: narrowed.append(set(left)))
    first, second = receipt.part(3), receipt.part(5)
    second.hold()
    first.release()
    assert not narrowed  # the rest is still held
    receipt.release()
    second.release()
    assert narrowed == [{5}]
    assert not free
    second.release()
    assert free == [True]
    with receipt:  # held again, it stays freed
        second.hold()
        second.release()
    assert free == [True]


def test_line_that_was_not_finished_says_nothing(tmp_path: Path) -> None:
    file = tmp_path / "1.done"
    notes_beside.write(file, "judge", notes_beside.Notes([1], {1: [0], 2: [0, 4], 3: [9]}))
    notes_beside.write(file, "judge", notes_beside.Notes([3], {2: [4]}))
    whole = file.read_bytes()
    for damage in (
        b'{"for": "judge", "done": [2]',
        b'{"for": "judge", "done": [], "left": [2]}',
        b"[3]",
        b'{"for": []}',
    ):
        file.write_bytes(whole + b"\n" + damage)
        noted = notes_beside.read(file)["judge"]
        assert noted.done == {1, 3}
        assert noted.left[2] == {4}
    assert 1 not in noted.left  # what is done is not left
