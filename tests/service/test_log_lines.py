"""Lines of the gateway's log: names that senders choose cannot forge them."""

import asyncio
import gc
import json
import logging

import pytest

from otel_agent_eval.service.log_format import ConsoleFormatter, JsonFormatter, log_uncaught

FORGED = "shop\n2026-01-01T00:00:00.000Z error   all is lost\x1b[2J\r\x9b2J\u2028"


@pytest.mark.parametrize("formatter", [ConsoleFormatter(), JsonFormatter()])
def test_a_name_with_line_breaks_and_escapes_stays_in_its_line(formatter: logging.Formatter) -> None:
    record = logging.makeLogRecord({"msg": "told", "levelname": "WARNING", "service": FORGED})
    line = formatter.format(record)
    assert len(line.splitlines()) == 1
    assert line.isprintable()
    if isinstance(formatter, JsonFormatter):
        assert json.loads(line)["service"] == FORGED


def test_names_in_other_scripts_are_written_as_they_are() -> None:
    record = logging.makeLogRecord({"msg": "told", "levelname": "INFO", "service": "mağaza 商店"})
    assert "service=mağaza 商店" in ConsoleFormatter().format(record)


async def test_what_a_task_or_callback_broke_with_is_its_type_and_place(caplog: pytest.LogCaptureFixture) -> None:
    async def task() -> None:
        raise ValueError("Xanadu")

    def callback(text: str) -> None:
        raise KeyError(text)

    loop = asyncio.get_running_loop()
    loop.set_exception_handler(log_uncaught)
    broken = asyncio.create_task(task())
    loop.call_soon(callback, "Xanadu")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    del broken
    gc.collect()
    lines = [JsonFormatter().format(record) for record in caplog.records]
    assert sorted(json.loads(line)["exception.type"] for line in lines) == ["KeyError", "ValueError"]
    assert all(json.loads(line)["at"].startswith("test_log_lines.py:") for line in lines)
    assert "Xanadu" not in str(lines)
