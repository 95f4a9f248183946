"""Lines of the gateway's log: names that senders choose cannot forge them."""

import json
import logging

import pytest

from otel_agent_eval.service.log_format import ConsoleFormatter, JsonFormatter

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
