"""The table of docs/redaction.md says what happens: each name in it is put on a span and redacted."""

import re
from pathlib import Path

import pytest
from test_golden import CASES, load
from test_redaction import attributes, redacted, span_request

from otel_agent_eval.conventions import read
from otel_agent_eval.conventions.pairs import PAIRS
from otel_agent_eval.conventions.span import view_span
from otel_agent_eval.processors.redaction_patterns import PATTERNS

PAGE = (Path(__file__).parents[2] / "docs" / "redaction.md").read_text()


def rows(title: str) -> dict[str, list[list[str]]]:
    """The names in each cell of a table, by its first cell."""
    table = PAGE.split(f"\n| {title} |", 1)[1].split("\n\n", 1)[0].splitlines()[2:]
    cells = [row.strip("|").split(" | ") for row in table]
    return {row[0].strip(" `"): [re.findall(r"`([^`]+)`", cell) for cell in row[1:]] for row in cells}


TABLE = rows("convention")


@pytest.mark.parametrize("convention", TABLE)
def test_the_table_says_what_goes_and_what_stays(convention: str) -> None:
    goes, stays = TABLE[convention]
    agents = {"gen_ai.operation.name": "chat"}
    values = dict.fromkeys([*goes, *stays], "some text")
    left = attributes(redacted(span_request({**values, **agents})))
    assert left.keys() == {*stays, *agents}


def test_every_convention_that_is_read_has_a_row() -> None:
    read_in_recordings = {
        read(view_span(span, scope, {})).convention
        for folder in CASES
        for trace in load(folder)[0]
        for resource in trace.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    }
    assert {*(pair.convention for pair in PAIRS), *read_in_recordings} - {""} <= TABLE.keys()


def test_every_pattern_has_a_row() -> None:
    assert rows("pattern").keys() == PATTERNS.keys()
