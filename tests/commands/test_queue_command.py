"""`queue status`, `dead` and `resend`, beside a running gateway and without one."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from support.gateway import configuration
from typer.testing import CliRunner, Result

from otel_agent_eval.cli import app
from otel_agent_eval.delivery import DeadLetters
from otel_agent_eval.journal import Folder, Journal, Limits, ReaderLimits
from otel_agent_eval.signals import Payload, Signal

SECRET = "Xanadu"
PAYLOAD = Payload(Signal.LOGS, SECRET.encode() * 200_000, 7)


@pytest.fixture
def queue(tmp_path: Path) -> Path:
    """Make a queue in which a request waits for one of two destinations, and one is parked;

    another is to be sent again to one that is not configured.
    """
    path = tmp_path / "queue"

    async def fill() -> None:
        journal = Journal(Limits(readers={"otlp/tempo": ReaderLimits()}), Folder(path))
        await journal.start()
        await journal.append(PAYLOAD, ["otlp/tempo"])
        await journal.stop()

    asyncio.run(fill())
    letters = DeadLetters(Folder(path))
    letters.park("otlp/gone", PAYLOAD, "HTTP 413")
    letters.resend("otlp/gone", "otlp/gone")
    letters.park("otlp/tempo", PAYLOAD, "HTTP 400")
    return path


@pytest.fixture
def command(tmp_path: Path, queue: Path) -> Callable[..., Result]:
    exporters = {name: {"endpoint": "http://127.0.0.1:1"} for name in ("otlp/tempo", "otlp/other")}
    config = configuration(exporters)
    config["exporters"]["otlp/unused"] = {"endpoint": "http://127.0.0.1:1"}  # in no pipeline
    config["service"]["queue"] = {"path": str(queue)}
    file = tmp_path / "gateway.yaml"
    file.write_text(yaml.safe_dump(config))
    return lambda *arguments: CliRunner().invoke(app, ["queue", *arguments, "--config", str(file)])


def rows(result: Result) -> dict[str, list[str]]:
    assert SECRET not in result.output
    lines = [line.split() for line in result.output.splitlines()]
    return {cells[0]: cells[1:] for cells in lines if cells}


def test_status_says_what_waits_for_whom_and_who_uses_it(command: Callable[..., Result], queue: Path) -> None:
    result = command("status")
    assert result.exit_code == 0
    assert "no gateway uses it" in result.output
    found = rows(result)
    assert (found["otlp/tempo"][:2], found["otlp/tempo"][-1]) == (["1", "1.1"], "1")
    assert found["otlp/gone"] == ["0", "0.0", "0", "1"]
    assert found["otlp/other"][:2] == ["0", "0.0"]
    with Folder(queue):
        assert "in use by process" in command("status").output


def test_status_names_what_cannot_be_read_and_fails(command: Callable[..., Result], queue: Path) -> None:
    (segment,) = queue.glob("*.segment")
    segment.with_stem("000000000000").write_bytes(b"\x00" * 50)
    result = command("status")
    assert result.exit_code == 1
    assert "50 bytes of 000000000000.segment at 0" in result.output
    assert rows(result)["otlp/tempo"][0] == "1"


def test_status_names_files_that_are_gone_and_fails(command: Callable[..., Result], queue: Path) -> None:
    (segment,) = queue.glob("*.segment")
    segment.with_name("000000000009.done").write_text('{"for": "otlp/tempo", "done": [7]}\n')
    result = command("status")
    assert result.exit_code == 1
    assert "gone: 000000000009.segment" in result.output


def test_dead_lists_letters_with_their_reason_and_no_content(command: Callable[..., Result]) -> None:
    result = command("dead")
    assert "HTTP 400" in result.output
    assert rows(result)["otlp/tempo"][2:5] == ["logs", "7", str(len(PAYLOAD.body))]
    assert "to be sent" in result.stdout
    assert "otlp/gone" not in command("dead", "otlp/tempo").stdout
    unknown = command("dead", "otlp/nobody")
    assert unknown.exit_code == 1
    assert "otlp/tempo" in unknown.output


@pytest.mark.parametrize("target", ["otlp/tempo", "otlp/other"])
def test_resend_leaves_letters_where_the_gateway_takes_them(
    command: Callable[..., Result], queue: Path, target: str
) -> None:
    result = command("resend", "otlp/tempo", *([] if target == "otlp/tempo" else ["--to", target]))
    assert result.stdout == f"1 requests are sent to {target} again when a gateway is started\n"
    (letter,) = DeadLetters(Folder(queue)).returning(target)
    assert letter.record.payload == PAYLOAD
    again = command("resend", "otlp/tempo")
    assert again.exit_code == 1
    assert "nothing is parked" in again.output


@pytest.mark.parametrize("target", ["otlp/tmpo", "otlp/unused"])
def test_resend_to_an_exporter_that_is_not_there_moves_nothing(
    command: Callable[..., Result], queue: Path, target: str
) -> None:
    result = command("resend", "otlp/tempo", "--to", target)
    assert result.exit_code == 1
    assert result.stdout.count("\n") == 1
    assert f"{target}; there are otlp/other, otlp/tempo\n" in result.stdout
    assert DeadLetters(Folder(queue)).count("otlp/tempo") == 1


def test_what_cannot_be_read_is_named_and_stays(command: Callable[..., Result], queue: Path) -> None:
    (file,) = (queue / "dead").rglob("*.letter")
    file.write_bytes(file.read_bytes()[:-1])
    named = f"cannot be read: {file.relative_to(queue)}: it is damaged"
    for arguments in (["dead", "otlp/tempo"], ["resend", "otlp/tempo"]):
        result = command(*arguments)
        assert result.exit_code == 1
        assert result.stdout == f"{named}\n"
        assert "nothing is parked" not in result.output
    assert file.exists()


def test_where_there_is_no_queue_one_line_says_so(tmp_path: Path) -> None:
    config = configuration({"otlphttp": {"endpoint": "http://127.0.0.1:1"}})
    file = tmp_path / "gateway.yaml"
    for queue, said in (({"storage": "memory"}, "in memory"), ({"path": str(tmp_path / "nowhere")}, "no queue")):
        config["service"]["queue"] = queue
        file.write_text(yaml.safe_dump(config))
        for arguments in (["status"], ["dead"], ["resend", "otlphttp"]):
            result = CliRunner().invoke(app, ["queue", *arguments, "--config", str(file)])
            assert result.exit_code == 1
            assert said in result.output
            assert result.output.count("\n") == 1
