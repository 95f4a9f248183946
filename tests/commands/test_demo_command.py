"""The demonstration finds what it promises: something toxic, something unfaithful, something off-topic."""

import re
import subprocess
import sys

import pytest


@pytest.mark.timeout(180)
def test_demo_finds_a_toxic_an_unfaithful_and_an_off_topic_answer() -> None:
    command = [sys.executable, "-m", "otel_agent_eval", "demo"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=150, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert not re.search(r"Z (error|warning) ", done.stdout + done.stderr)
    found = re.search(r"Found: (\d+) toxic, (\d+) unfaithful, (\d+) off-topic", done.stdout)
    assert found, done.stdout[-2000:]
    assert all(int(number) >= 1 for number in found.groups()), found[0]
    for name in ("langchain-openinference", "llama-index-openinference", "mlflow", "public-data"):
        assert name in done.stdout
    assert "OTEL_EXPORTER_OTLP_ENDPOINT" in done.stdout
