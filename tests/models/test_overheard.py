"""What a model worker logs is in the log of its parent, without what exceptions say."""

import asyncio
import logging
import os
from pathlib import Path

import pytest
from model_workers import load_and_tell, load_echo
from support.processes import wait_until

from otel_agent_eval.evaluation import Interaction
from otel_agent_eval.models.child import Child
from otel_agent_eval.models.process_worker import ProcessWorker
from otel_agent_eval.models.runtime import ModelError


async def test_what_a_child_logs_comes_with_its_answers(caplog: pytest.LogCaptureFixture) -> None:
    worker = ProcessWorker(load_and_tell)
    await worker.start()
    child = worker.pid
    broke = caplog.records[-1]
    await worker.submit("echo", [Interaction(answer="raise")])
    await worker.close()
    failed = caplog.records[-1]
    assert (broke.name, broke.levelno, broke.getMessage()) == ("loader", logging.ERROR, "it broke")
    told = vars(broke)
    assert told["exception.type"] == "otel_agent_eval.models.runtime.ModelError"
    assert told["at"].startswith("model_workers.py:")
    assert (told["path"], told["names"], told["share"]) == ("there", ["a", "b"], 0.5)
    assert (failed.getMessage(), vars(failed)["error_type"]) == ("evaluator failed", "ValueError")
    assert {broke.process, failed.process} == {child}
    assert "quote the answer" not in caplog.text


async def test_what_it_said_before_it_gave_up_is_there_and_nothing_below_the_level(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTHING", "")
    loader = logging.getLogger("loader")
    loader.setLevel(logging.CRITICAL)  # of the parent only: what a reload has done to it
    with pytest.raises(ModelError, match="damaged"):
        await ProcessWorker(load_and_tell).start()
    assert "it broke" not in caplog.messages
    loader.setLevel(logging.NOTSET)
    with pytest.raises(ModelError, match="damaged"):
        await ProcessWorker(load_and_tell).start()
    assert [record.process != os.getpid() for record in caplog.records if record.message == "it broke"] == [True]


def told(caplog: pytest.LogCaptureFixture) -> list[tuple[int, str]]:
    return [(record.levelno, record.message) for record in caplog.records if record.name == "echo"]


async def test_what_it_says_last_before_it_dies_is_there(caplog: pytest.LogCaptureFixture) -> None:
    worker = ProcessWorker(load_echo)
    await worker.start()
    await worker.submit("echo", [Interaction(answer="tell and die")])
    await worker.close()
    assert told(caplog) == [(logging.ERROR, "tell and die")]


def test_what_it_says_while_nothing_is_asked_of_it_is_there_at_its_end(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TOLD", str(tmp_path / "told"))
    child = Child(load_echo)
    child.wait_loaded()
    child.obey(("echo", (Interaction(answer="tell later"),)))
    wait_until((tmp_path / "told").exists, 30, "a line that comes later")
    child.end()
    assert child.exit_code == 0
    assert told(caplog) == [(logging.ERROR, "later")]


async def test_it_logs_at_the_level_of_its_parent_as_it_is_now(caplog: pytest.LogCaptureFixture) -> None:
    worker = ProcessWorker(load_echo)
    await worker.start()
    for level in (logging.CRITICAL, logging.INFO, logging.ERROR, logging.DEBUG):
        caplog.set_level(level)
        await worker.submit("echo", [Interaction(answer="tell")])
    await worker.close()
    levels = [level for level, _ in told(caplog)]
    assert levels == [logging.INFO, logging.ERROR, logging.ERROR, logging.DEBUG, logging.INFO, logging.ERROR]


def test_nothing_is_said_twice_on_standard_error(capfd: pytest.CaptureFixture[str]) -> None:
    async def judge() -> None:
        worker = ProcessWorker(load_and_tell)
        await worker.start()
        await worker.submit("echo", [Interaction(answer="tell")])
        await worker.close()

    asyncio.run(judge())
    assert capfd.readouterr().err == ""  # the parent says it, in its form
