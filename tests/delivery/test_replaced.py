"""Destinations that come, change and go while requests pass: each request reaches its destination once."""

import asyncio
from pathlib import Path

import pytest
from queued import Queued
from test_delivery import QUICK, Scripted, payload, until

from otel_agent_eval.delivery import Delivery, Destination, Fate, SendSettings
from otel_agent_eval.journal import Folder, Journal, Limits, ReaderLimits
from otel_agent_eval.signals import Payload


class Slow(Scripted):
    """An exporter whose requests are under way until `go` is set."""

    def __init__(self) -> None:
        super().__init__()
        self.go = asyncio.Event()
        self.begun = 0

    async def export(self, payload: Payload) -> int:
        self.begun += 1
        await self.go.wait()
        return await super().export(payload)


def destination(journal: Journal, exporter: Scripted) -> Destination:
    return Destination(exporter, journal.cursor(exporter.name), retry=QUICK, send=SendSettings(workers=2))


@pytest.fixture
async def journal(tmp_path: Path) -> Journal:
    return Journal(Limits(readers={"test": ReaderLimits(), "other": ReaderLimits()}), Folder(tmp_path / "queue"))


async def test_what_a_changed_destination_could_not_send_its_successor_sends(journal: Journal) -> None:
    old, new = Scripted(dead=True), Scripted()
    delivery = Delivery(journal, [destination(journal, old)])
    await journal.start()
    await delivery.start()
    for size in range(1, 20):
        await delivery.accept(payload(size=size))
    await until(lambda: old.tries > 3)
    await delivery.replace([destination(journal, new)], 5.0)
    await until(lambda: len(new.sent) == 19)
    assert old.closed
    assert sorted(len(sent.body) for sent in new.sent) == list(range(1, 20))
    assert delivery.stats()[0].queued_requests == 0
    await delivery.stop(1.0)
    await journal.stop()


async def test_what_is_under_way_is_finished_and_not_sent_again(journal: Journal) -> None:
    old, new = Slow(), Scripted()
    delivery = Delivery(journal, [destination(journal, old)])
    await journal.start()
    await delivery.start()
    for size in range(1, 6):
        await delivery.accept(payload(size=size))
    await until(lambda: old.begun == 2)
    replacing = asyncio.create_task(delivery.replace([destination(journal, new)], 30.0))
    await until(lambda: len(new.sent) == 3)
    old.go.set()
    await replacing
    assert sorted(len(sent.body) for sent in [*old.sent, *new.sent]) == [1, 2, 3, 4, 5]
    assert delivery.stats()[0].queued_requests == 0
    await delivery.stop(1.0)
    await journal.stop()


async def test_a_removed_destination_keeps_what_waits_until_it_comes_back(journal: Journal) -> None:
    dead, other = Scripted(dead=True), Scripted(name="other")
    kept = destination(journal, other)
    delivery = Delivery(journal, [destination(journal, dead), kept])
    await journal.start()
    await delivery.start()
    for _ in range(5):
        await delivery.accept(payload())
    await delivery.replace([kept], 5.0)
    await delivery.accept(payload())
    await until(lambda: len(other.sent) == 6)
    assert {stats.name: stats.queued_requests for stats in delivery.stats()} == {"test": 5, "other": 0}
    back = Scripted()
    await delivery.replace([kept, destination(journal, back)], 5.0)
    await until(lambda: len(back.sent) == 5)
    assert len(delivery.stats()) == 2
    assert not other.closed
    await delivery.stop(1.0)
    await journal.stop()


async def test_a_new_destination_is_given_what_an_earlier_process_left_for_it(tmp_path: Path) -> None:
    folder, limits = tmp_path / "queue", Limits(readers={"test": ReaderLimits()})
    before = Journal(limits, Folder(folder))
    before.cursor("test")
    await before.start()
    for _ in range(3):
        await before.append(payload(), ["test"])
    await before.stop()

    journal, exporter = Journal(Limits(), Folder(folder)), Scripted()
    delivery = Delivery(journal, [])
    await journal.start()
    await delivery.start()
    journal.adopt(limits)
    await delivery.replace([destination(journal, exporter)], 1.0)
    await until(lambda: len(exporter.sent) == 3)
    await delivery.stop(1.0)
    await journal.stop()


async def test_a_worker_that_is_cut_off_gives_back_what_it_had() -> None:
    stuck, new = Slow(), Scripted()
    queued = Queued(stuck)
    await queued.start()
    await queued.put(payload())
    await until(lambda: stuck.begun == 1)
    await queued.delivery.replace([destination(queued.journal, new)], 0.01)
    await until(lambda: len(new.sent) == 1)
    assert not stuck.sent
    assert queued.stats().items == {(payload().signal, Fate.SENT): 2}
    await queued.stop(1.0)
