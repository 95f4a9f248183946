"""The command line as its users meet it."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from otel_agent_eval import __version__

CONFIG = """\
receivers:
  otlp: {protocols: {grpc: , http: {endpoint: '[::]:4318'}}}
processors:
  agent_eval: {mode: side, evaluators: {toxicity: }}
exporters:
  otlp: {endpoint: tempo:4317}
  otlphttp/prometheus: {metrics_endpoint: http://prometheus:9090/otlp/v1/metrics}
  console:
service:
  pipelines:
    traces: {receivers: [otlp], processors: [agent_eval], exporters: [otlp]}
    metrics: {exporters: [otlphttp/prometheus]}
"""


def command(*arguments: str, folder: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "otel_agent_eval", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={"COLUMNS": "120", "TERM": "dumb", **environment},
    )


def test_the_version_is_shown() -> None:
    assert command("--version").stdout == f"otel-agent-eval {__version__}\n"


@pytest.mark.parametrize("name", ["run", "validate", "explain", "score", "demo"])
def test_every_command_is_listed_and_explains_itself(name: str) -> None:
    listed = command("--help")
    own = command(name, "--help")

    assert re.search(rf"│ {name}\b", listed.stdout)
    assert own.returncode == 0
    assert f"{name} [OPTIONS]" in own.stdout


@pytest.mark.parametrize("arguments", [[], ["rum"], ["validate", "--confg", "x"], ["explain"], ["score"]])
def test_wrong_usage_ends_with_2(arguments: list[str]) -> None:
    done = command(*arguments)

    assert done.returncode == 2
    assert "Traceback" not in done.stderr


def test_help_and_validate_load_no_models() -> None:
    program = "import sys; from otel_agent_eval.cli import app; app(['validate'], standalone_mode=False)\n"
    program += "assert not {'onnxruntime', 'numpy', 'grpc', 'tokenizers', 'uvicorn', 'rich'} & set(sys.modules)"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=60)

    assert (done.returncode, done.stderr) == (0, "")


def test_a_right_configuration_is_summarised_with_its_warnings(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(CONFIG)

    done = command("validate", "--config", "c.yaml", folder=tmp_path, XDG_STATE_HOME="/var/lib")

    assert done.returncode == 0
    assert done.stdout.splitlines() == [
        "valid: c.yaml",
        "  traces:  otlp (grpc 127.0.0.1:4317, http [::]:4318) -> agent_eval (side: toxicity) -> otlp (tempo:4317)",
        "  logs:    no pipeline: they are refused, content in them is not read, and scores do not leave as events",
        "  metrics: (only the gateway's own) -> otlphttp/prometheus (http://prometheus:9090/otlp/v1/metrics)",
        "  queue: /var/lib/otel-agent-eval/queue, 2GiB, fsync interval",
        "  /metrics, /status, /healthz, /readyz: 127.0.0.1:8888",
        "  the gateway's own log: standard error",
        "  the gateway's own traces: off",
    ]
    assert done.stderr == "c.yaml:8: exporters.console: no pipeline names it: it is not started (warning)\n"


@pytest.mark.parametrize("name", ["validate", "run"])
def test_a_wrong_configuration_ends_with_1_and_its_messages(name: str, tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(CONFIG.replace("side", "aside").replace("exporters: [otlp]", "exporters: [otpl]"))

    done = command(name, "-c", "c.yaml", folder=tmp_path)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [
        "c.yaml:4: processors.agent_eval.mode: expected annotate or side; got 'aside'",
        "c.yaml:11: service.pipelines.traces.exporters[0]: 'otpl' is not defined under exporters; did you mean otlp?",
    ]


def test_validate_shows_no_query_of_a_url() -> None:
    done = command("validate", OTEL_EXPORTER_OTLP_ENDPOINT="https://otlp.example/?key=hidden")
    assert "https://otlp.example" in done.stdout
    assert "hidden" not in done.stdout + done.stderr


def test_validate_shows_where_log_and_traces_of_the_gateway_go(tmp_path: Path) -> None:
    http = "[{batch: {exporter: {otlp: {endpoint: 'https://one.example?key=hidden'}}}}]"
    grpc = "[{batch: {exporter: {otlp: {endpoint: 'https://two.example:4317', protocol: grpc}}}}]"
    telemetry = f"  telemetry: {{logs: {{processors: {http}}}, traces: {{processors: {grpc}}}}}\n"
    (tmp_path / "c.yaml").write_text(CONFIG + telemetry)

    done = command("validate", "-c", "c.yaml", folder=tmp_path)

    assert done.stdout.splitlines()[-2:] == [
        "  the gateway's own log: standard error, https://one.example:443/v1/logs",
        "  the gateway's own traces: https://two.example:4317",
    ]


def test_validate_alone_checks_the_environment() -> None:
    right = command("validate", OTEL_EXPORTER_OTLP_ENDPOINT="http://tempo:4317")
    wrong = command("validate", OTEL_EXPORTER_OTLP_ENDPOINT="http://localhost:4318")

    assert right.returncode == 0
    assert "-> otlp (http://tempo:4317)" in right.stdout
    assert wrong.returncode == 1
    assert "http://localhost:4318 is this gateway itself" in wrong.stderr
