import asyncio
import os
import signal
import threading
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio
from model_workers import load_and_die, load_echo, load_nothing, load_wrong

from otel_agent_eval.evaluation import Evaluation, Failed, Interaction, Scored
from otel_agent_eval.evaluation.worker import Ending, Worker
from otel_agent_eval.models.loading import Load
from otel_agent_eval.models.process_worker import ProcessWorker
from otel_agent_eval.models.runtime import ModelError
from otel_agent_eval.models.worker import ThreadWorker

BOTH: list[Callable[[Load], Worker]] = [ThreadWorker, ProcessWorker]


@pytest_asyncio.fixture(params=BOTH)
async def worker(request: pytest.FixtureRequest) -> AsyncIterator[Worker]:
    worker: Worker = request.param(load_echo)
    await worker.start()
    yield worker
    await worker.close()


@pytest_asyncio.fixture
async def process() -> AsyncIterator[ProcessWorker]:
    worker = ProcessWorker(load_echo)
    await worker.start()
    yield worker
    await worker.close()


async def judge(worker: Worker, *answers: str) -> list[Evaluation]:
    return (await worker.submit("echo", [Interaction(answer=answer) for answer in answers])).evaluations


def where(evaluation: Evaluation) -> str:
    assert isinstance(evaluation, Scored)
    return evaluation.evidence["where"][0]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


@pytest.mark.parametrize("make", BOTH)
async def test_a_started_worker_describes_its_evaluators(make: Callable[[Load], Worker]) -> None:
    worker = make(load_echo)
    (description,) = await worker.start()
    await worker.close()
    assert (description.name, description.version, description.threshold) == ("echo", "test/echo@1", 0.5)


async def test_evaluations_come_back_in_order_with_the_time_they_took(worker: Worker) -> None:
    verdicts = await worker.submit("echo", [Interaction(answer="sleep"), Interaction(answer="b")])
    assert len(verdicts.evaluations) == 2
    assert verdicts.seconds >= 0.5


async def test_evaluators_run_away_from_the_event_loop(worker: Worker) -> None:
    (evaluation,) = await judge(worker, "a")
    assert where(evaluation) != f"{os.getpid()}/{threading.current_thread().name}"


async def test_the_event_loop_is_free_while_a_batch_runs(worker: Worker) -> None:
    task = asyncio.create_task(judge(worker, "sleep"))
    turns = 0
    while not task.done():
        await asyncio.sleep(0.01)
        turns += 1
    assert turns > 10


async def test_a_long_interaction_is_judged_in_slices_between_which_batches_are(worker: Worker) -> None:
    assert await worker.begin("echo", Interaction(answer="steps")) is None
    assert isinstance((await judge(worker, "a"))[0], Scored)
    slices = 0
    while (verdicts := await worker.resume()) is None:
        slices += 1
        assert slices < 100
    assert isinstance(verdicts.evaluations[0], Scored)


async def test_an_interaction_that_breaks_the_evaluator_does_not_fail_the_others(worker: Worker) -> None:
    first, broken, last = await judge(worker, "a", "raise", "b")
    assert broken == Failed("ValueError")
    assert isinstance(first, Scored)
    assert isinstance(last, Scored)


@pytest.mark.parametrize("make", BOTH)
async def test_a_model_that_does_not_load_is_a_clear_error_at_start(make: Callable[[Load], Worker]) -> None:
    for load, message in ((load_nothing, "model.onnx is damaged"), (load_wrong, "KeyError")):
        worker = make(load)
        with pytest.raises(ModelError, match=message):
            await worker.start()
        await worker.close()


async def test_a_process_that_dies_while_loading_is_a_clear_error_at_start() -> None:
    worker = ProcessWorker(load_and_die)
    with pytest.raises(ModelError, match="died while it loaded the models, with exit code 13"):
        await worker.start()
    await worker.close()


async def test_a_crash_fails_its_batch_and_a_new_process_takes_over(process: ProcessWorker) -> None:
    before = where((await judge(process, "a"))[0])
    assert await judge(process, "a", "die") == [Failed("WorkerCrashed")] * 2
    assert process.down is Ending.CRASHED
    await process.ready()
    after = where((await judge(process, "a"))[0])
    assert before.split("/")[0] != after.split("/")[0]


async def test_a_crash_fails_what_was_begun(process: ProcessWorker) -> None:
    assert await process.begin("echo", Interaction(answer="steps")) is None
    assert await judge(process, "die") == [Failed("WorkerCrashed")]
    await process.ready()
    verdicts = await process.resume()
    assert verdicts is not None
    assert verdicts.evaluations == [Failed("NotBegun")]


async def test_a_process_outlives_what_ends_a_service_and_ends_when_closed() -> None:
    worker = ProcessWorker(load_echo)
    await worker.start()
    pid = int(where((await judge(worker, "a"))[0]).split("/")[0])
    os.kill(pid, signal.SIGINT)
    os.kill(pid, signal.SIGTERM)
    assert isinstance((await judge(worker, "a"))[0], Scored)
    await worker.close()
    assert not alive(pid)
