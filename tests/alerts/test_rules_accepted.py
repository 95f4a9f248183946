"""promtool accepts what is rendered, whatever the configuration names."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
from alert_configs import config

from otel_agent_eval.alerts.render import render

pytestmark = [pytest.mark.debian, pytest.mark.timeout(600)]
STRANGE = 'a"b\\c|d.e*{f}$1 \N{SNOWMAN} `g` %h'


@pytest.mark.parametrize(
    ("settings", "segments", "services"),
    [
        ({}, (), ()),
        ({}, ("user.segment", "geo.country", "1st"), ()),
        ({"windows": ["90s"]}, ("user.segment",), ()),
        ({"windows": ["1s", "1h30m", "336h"], "hold": "1h0m1s"}, ("user.segment",), ()),
        ({"services": {"one": {"silence": "2h"}, "two": {"coverage": 0.5}}}, ("user.segment",), ("two",)),
        ({"services": {"one": {}, "two": {}}}, (), ("one", "two")),
        (
            {
                "services": {
                    STRANGE: {"silence": "1h", "hallucination_rate": 0.1, "relevance_mean": 0.2, "coverage": 0.3}
                }
            },
            (),
            (),
        ),
        ({"services": {STRANGE: {"silence": "1h"}}}, (), (STRANGE,)),
        ({"segments": {"user.segment": [STRANGE, "plain"]}, "job": STRANGE}, ("user.segment",), ()),
        ({"links": {"traces": "jaeger", "runbooks": "https://wiki.example/a?b=c&d={e}%20"}}, (), ()),
        ({"error_rates": {STRANGE: {"bad": 9, "bad_flagged": 9, "good": 9, "good_flagged": 0}}}, (), ()),
    ],
)
def test_rules_are_accepted(
    tmp_path: Path, settings: dict[str, Any], segments: tuple[str, ...], services: tuple[str, ...]
) -> None:
    for name, text in render(config(settings, segments), services).items():
        (tmp_path / name).write_text(text)
    command = ["promtool", "check", "rules", *map(str, tmp_path.iterdir())]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=500)
    assert done.returncode == 0, done.stdout + done.stderr
