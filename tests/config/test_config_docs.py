"""docs/configuration.md says what the schema says."""

import re
from pathlib import Path

import pytest

from otel_agent_eval.config import loads
from otel_agent_eval.config.docs import reference, replaced

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "configuration.md"
OWN_OTLP = re.compile(r"\| `telemetry\.(logs|traces)\.processors\[\]\.batch\.exporter\.otlp\.")


def test_the_reference_is_up_to_date() -> None:
    page = PAGE.read_text("utf-8")

    assert replaced(page) == page, "run python -m otel_agent_eval.config.docs"


def test_every_key_has_a_meaning_and_a_type_that_a_reader_knows() -> None:
    rows = [line.split(" | ") for line in reference().splitlines() if line.startswith("| `")]

    assert len(rows) > 50
    assert [row for row in rows if len(row[-1].removesuffix(" |")) < 4] == []
    mappings = {OWN_OTLP.sub("", row[0]) for row in rows if row[1] == "mapping"}
    of_alerts = {"| `services`", "| `segments`", "| `error_rates`"}
    assert mappings == {
        "| `evaluators`",
        "| `rules[].match`",
        "| `selectors[].match`",
        "| `headers`",
        "headers`",
        "| `telemetry.resource`",
        *of_alerts,
    }


@pytest.mark.parametrize("page", ["README.md", "docs/collector.md", "docs/configuration.md"])
def test_the_example_of_the_page_is_right(page: str) -> None:
    examples = re.findall(r"```yaml\n(.*?)```", (ROOT / page).read_text("utf-8"), re.DOTALL)
    (example,) = (example for example in examples if "  agent_eval:" in example)  # the others are the Collector's

    assert loads(example, "example", {"BACKEND": "backend.example"}).warnings == ()


def test_a_page_without_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="the page needs the two lines"):
        replaced("# Configuration\n")
