"""What happens when an evaluator hangs, or the process that holds it is killed."""

import asyncio
import itertools
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from model_workers import load_echo, load_if_there
from support.processes import wait_until

from otel_agent_eval.evaluation import Evaluation, Failed, Interaction, Scored
from otel_agent_eval.evaluation.worker import Ending, Worker
from otel_agent_eval.models.child import Child
from otel_agent_eval.models.process_worker import Backoff, ProcessWorker
from otel_agent_eval.models.worker import ThreadWorker

SHORT, LONG = 1.5, 60.0

ORPHAN = """
import asyncio, os, sys
from model_workers import load_echo
from otel_agent_eval.evaluation import Interaction
from otel_agent_eval.models.child import Child
from otel_agent_eval.models.process_worker import ProcessWorker

async def main():
    worker = ProcessWorker(load_echo)
    await worker.start()
    print(worker.pid, flush=True)
    await worker.submit("echo", [Interaction(answer="loop")])

if __name__ == "__main__":
    asyncio.run(main())
"""


@asynccontextmanager
async def process(seconds: float, endings: list[Ending] | None = None) -> AsyncIterator[ProcessWorker]:
    worker = ProcessWorker(load_echo, seconds, None if endings is None else endings.append)
    await worker.start()
    try:
        yield worker
    finally:
        await worker.close()


async def judge(worker: Worker, *answers: str) -> list[Evaluation]:
    return (await worker.submit("echo", [Interaction(answer=answer) for answer in answers])).evaluations


def gone(pid: int) -> bool:
    """Whether a process has ended, though it may not have been waited for."""
    try:
        return "\nState:\tZ" in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return True


def expendable(pid: int | None) -> int:
    return int(Path(f"/proc/{pid}/oom_score_adj").read_text())


@pytest.mark.parametrize("hang", ["loop", "stopped"])
async def test_a_child_that_hangs_is_killed_and_replaced_and_its_batch_has_failed(hang: str) -> None:
    endings: list[Ending] = []
    async with process(SHORT, endings) as worker:
        first = worker.pid
        assert first is not None
        if hang == "stopped":
            os.kill(first, signal.SIGSTOP)
        assert await judge(worker, hang, "b") == [Failed("WorkerStuck")] * 2
        assert worker.down is Ending.STUCK
        await worker.ready()
        assert isinstance((await judge(worker, "a"))[0], Scored)
        assert worker.pid != first
    assert endings == [Ending.STUCK]
    assert gone(first)


async def test_a_slice_that_never_ends_has_failed() -> None:
    async with process(SHORT) as worker:
        verdicts = await worker.begin("echo", Interaction(answer="loop"))
        assert verdicts is not None
        assert verdicts.evaluations == [Failed("WorkerStuck")]


async def test_a_child_that_the_system_kills_while_idle_costs_nothing() -> None:
    endings: list[Ending] = []
    async with process(LONG, endings) as worker:
        for _ in range(2):
            assert worker.pid is not None
            os.kill(worker.pid, signal.SIGKILL)
            while worker.down is None:  # noqa: ASYNC110 (nothing tells)
                await asyncio.sleep(0.01)
            await worker.ready()
            assert isinstance((await judge(worker, "a"))[0], Scored)
    assert endings == [Ending.KILLED] * 2


async def test_a_child_that_the_system_kills_at_work_fails_its_batch() -> None:
    async with process(LONG) as worker:
        work = asyncio.create_task(judge(worker, "loop"))
        await asyncio.sleep(0.1)
        assert worker.pid is not None
        os.kill(worker.pid, signal.SIGKILL)
        assert await work == [Failed("WorkerKilled")]


async def test_where_memory_runs_out_the_system_ends_the_models_before_the_gateway() -> None:
    async with process(LONG) as worker:
        assert expendable(worker.pid) > expendable(os.getpid())


async def test_an_evaluator_that_wants_too_much_memory_fails_only_its_own() -> None:
    async with process(LONG) as worker:
        fine, failed = await judge(worker, "a", "exhaust")
    assert isinstance(fine, Scored)
    assert isinstance(failed, Failed)
    assert failed.error_type in {"MemoryError", "OverflowError"}


async def test_closing_ends_a_child_that_hangs() -> None:
    async with process(LONG) as worker:
        pid = worker.pid
        assert pid is not None
        work = asyncio.create_task(judge(worker, "loop"))
        await asyncio.sleep(0.1)
    assert gone(pid)
    assert isinstance((await work)[0], Failed)


async def test_closing_while_a_child_is_replaced_leaves_none() -> None:
    async with process(LONG) as worker:
        assert await judge(worker, "die") == [Failed("WorkerCrashed")]
    assert worker.pid is None


def test_a_child_ends_with_its_parent_even_if_it_hangs(tmp_path: Path) -> None:
    script = tmp_path / "orphan.py"
    script.write_text(ORPHAN)
    parent = subprocess.Popen(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent)},
    )
    assert parent.stdout is not None
    with parent.stdout as output:
        pid = int(output.readline())
    parent.kill()
    parent.wait(10)
    wait_until(lambda: gone(pid), 20, "end of the child")


async def test_a_thread_that_hangs_is_waited_for_and_gets_nothing_until_it_is_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    monkeypatch.setenv("GATE", str(gate))
    endings: list[Ending] = []
    worker = ThreadWorker(load_echo, SHORT, endings.append)
    await worker.start()
    assert await judge(worker, "wait", "b") == [Failed("WorkerStuck")] * 2
    assert worker.down is Ending.STUCK
    waiting = asyncio.create_task(worker.ready())
    await asyncio.sleep(0)
    assert not waiting.done()
    await asyncio.to_thread(gate.write_bytes, b"on")
    await waiting
    assert worker.down is None
    assert isinstance((await judge(worker, "a"))[0], Scored)
    await worker.close()
    assert endings == [Ending.STUCK]


def test_a_child_that_did_well_is_replaced_at_once_and_others_after_ever_longer() -> None:
    backoff = Backoff()
    assert [backoff.after(1.0) for _ in range(9)] == [0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0, 10.0]
    assert backoff.after(Backoff.HEALTHY) == 0.0
    assert backoff.after(1.0) == 0.5


async def test_what_keeps_a_new_child_from_starting_is_tried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    missing = tmp_path / "missing"
    monkeypatch.setenv("NEEDED", str(missing))
    missing.touch()
    worker = ProcessWorker(load_if_there)
    await worker.start()
    missing.unlink()
    assert await judge(worker, "die") == [Failed("WorkerCrashed")]
    while not any("does not start again" in record.message for record in caplog.records):  # noqa: ASYNC110 (nothing tells)
        await asyncio.sleep(0.01)
    assert worker.down is Ending.CRASHED
    missing.touch()
    await worker.ready()
    assert isinstance((await judge(worker, "a"))[0], Scored)
    await worker.close()


async def test_a_child_is_replaced_though_others_look_after_children_at_the_same_time() -> None:
    done = threading.Event()

    def look() -> None:
        while not done.is_set():
            multiprocessing.active_children()  # takes down what has ended, as every start of a process does

    thread = threading.Thread(target=look)
    endings: list[Ending] = []
    async with process(LONG, endings) as worker:
        thread.start()
        try:
            for count in (1, 2):
                assert worker.pid is not None
                os.kill(worker.pid, signal.SIGKILL)
                while len(endings) < count:  # noqa: ASYNC110 (nothing tells)
                    await asyncio.sleep(0.01)
                await worker.ready()
        finally:
            done.set()
            thread.join()
    assert endings == [Ending.KILLED] * 2


def test_how_a_child_ended_is_known_though_another_thread_takes_it_down(monkeypatch: pytest.MonkeyPatch) -> None:
    child = Child(load_echo)
    child.wait_loaded()
    os.kill(child.pid, signal.SIGKILL)
    popen = child._process._popen  # type: ignore[attr-defined]  # typeshed leaves it out
    poll, looks = popen.poll, itertools.count()
    # Another thread has the exit code, and has not noted it yet.
    monkeypatch.setattr(popen, "poll", lambda *flag: poll(*flag) if next(looks) > 10 else None)
    assert child.end() is Ending.KILLED
    assert child.exit_code == -signal.SIGKILL
