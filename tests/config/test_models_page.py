"""docs/models.md shows settings that are right."""

import re
from pathlib import Path

import pytest
import yaml

from otel_agent_eval.config.processors import BUILT_IN_EVALUATORS, EvaluatorSettings

PAGE = (Path(__file__).parents[2] / "docs" / "models.md").read_text("utf-8")
LINES = re.findall(r"^ *(\w+: \{model: .*?\})", PAGE, re.MULTILINE)


@pytest.mark.parametrize("line", LINES)
def test_an_evaluator_of_the_page_is_right(line: str) -> None:
    ((name, settings),) = yaml.safe_load(line).items()
    assert name in BUILT_IN_EVALUATORS
    EvaluatorSettings.model_validate(settings)


def test_the_page_shows_each_kind() -> None:
    assert {line.split(":")[0] for line in LINES} == {"toxicity", "faithfulness", "relevance"}
