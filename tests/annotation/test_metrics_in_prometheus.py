"""The metrics page, scraped by a real Prometheus."""

import json
import shutil
import socket
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from annotation_samples import SPAN_ID, TRACE_ID, Metrics, judged, new_metrics, toxic

pytestmark = pytest.mark.debian
WAIT_SECONDS = 30


def program(name: str) -> str:
    path = shutil.which(name)
    assert path, f"{name} is not installed: apt-get install --no-install-recommends prometheus"
    return path


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


@pytest.fixture
def metrics() -> Metrics:
    return new_metrics(segments=("user.segment",))


@pytest.fixture
def target(metrics: Metrics) -> Iterator[str]:
    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body, content_type = metrics.page(self.headers.get("Accept", ""))
            self.send_response(200)
            self.send_header("Content-Type", content_type)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    thread = Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


class Prometheus:
    def __init__(self, url: str) -> None:
        self._url = url

    def get(self, path: str, **parameters: str) -> Any:
        url = f"{self._url}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(url, timeout=5) as response:  # noqa: S310 (our own, on loopback)
            return json.load(response)["data"]

    def wait_for(self, query: str) -> float:
        """Ask until the query has one result and return its value."""
        deadline = time.monotonic() + WAIT_SECONDS
        while time.monotonic() < deadline:
            try:
                if result := self.get("query", query=query)["result"]:
                    return float(result[0]["value"][1])
            except OSError:
                pass  # not up yet
            time.sleep(0.1)
        raise AssertionError(f"no result within {WAIT_SECONDS} s: {query}")


@pytest.fixture
def prometheus(target: str, tmp_path: Path) -> Iterator[Prometheus]:
    config = {
        "global": {"scrape_interval": "500ms", "scrape_timeout": "500ms"},
        "scrape_configs": [{"job_name": "gateway", "static_configs": [{"targets": [target]}]}],
    }
    (tmp_path / "prometheus.yml").write_text(json.dumps(config))  # JSON is YAML
    address = f"127.0.0.1:{free_port()}"
    command = [
        program("prometheus"),
        f"--config.file={tmp_path / 'prometheus.yml'}",
        f"--storage.tsdb.path={tmp_path / 'data'}",
        f"--web.listen-address={address}",
        "--enable-feature=exemplar-storage",
    ]
    with (tmp_path / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            yield Prometheus(f"http://{address}")
        finally:
            process.terminate()
            process.wait(timeout=20)


def test_promtool_has_nothing_to_say_about_the_page(metrics: Metrics) -> None:
    metrics.answers.record(judged({"toxicity": toxic(0.9)}, segments={"user.segment": "new"}))
    result = subprocess.run(
        [program("promtool"), "check", "metrics"], input=metrics.page()[0], capture_output=True, timeout=30, check=False
    )
    assert (result.returncode, result.stdout, result.stderr) == (0, b"", b"")


def test_prometheus_sees_scores_the_first_failure_and_the_way_to_its_trace(
    metrics: Metrics, prometheus: Prometheus
) -> None:
    known = 'gen_ai_evaluation_name="toxicity",service_name="shop"'
    fails = f'agent_eval_evaluations_total{{{known},gen_ai_evaluation_score_label="fail"}}'
    metrics.answers.record(judged({"toxicity": toxic(0.1)}))
    assert prometheus.wait_for(f"{fails} == 0") == 0
    time.sleep(1)  # another scrape at 0, so that the increase has a beginning
    metrics.answers.record(judged({"toxicity": toxic(0.93)}, weight=4.0))
    assert prometheus.wait_for(f"increase({fails}[1m]) > 0") > 0
    assert prometheus.wait_for(f"{fails} == 4") == 4
    assert prometheus.wait_for(f"agent_eval_last_failure_timestamp_seconds{{{known}}} > 0") == 1_700_000_100
    above = f'agent_eval_score_count{{{known}}} - ignoring(le) agent_eval_score_bucket{{{known},le="0.8"}}'
    assert prometheus.wait_for(above) == 4
    now = time.time()
    found = prometheus.get(
        "query_exemplars", query=f"agent_eval_score_bucket{{{known}}}", start=str(1_600_000_000), end=str(now)
    )
    exemplars = [exemplar for series in found for exemplar in series["exemplars"]]
    assert {"trace_id": TRACE_ID, "span_id": SPAN_ID} in [exemplar["labels"] for exemplar in exemplars]
    (up,) = prometheus.get("targets")["activeTargets"]
    assert (up["health"], up["lastError"]) == ("up", "")


def test_prometheus_sees_what_an_alert_for_collectors_asks_for(metrics: Metrics, prometheus: Prometheus) -> None:
    metrics.gateway.capacity("otlp/tempo", 1000)
    metrics.gateway.queue("otlp/tempo", size=900, age=1.0, dead_letters=0)
    full = "otelcol_exporter_queue_size / on (exporter) otelcol_exporter_queue_capacity > 0.8"
    assert prometheus.wait_for(full) == 0.9
    assert prometheus.wait_for('otelcol_exporter_sent_spans_total{exporter="otlp/tempo"} == 0') == 0
