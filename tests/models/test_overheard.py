"""What a model worker logs is in the log of its parent, without what exceptions say."""

import logging
import os

import pytest
from model_workers import load_and_tell

from otel_agent_eval.evaluation import Interaction
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
