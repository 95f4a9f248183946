"""Containers, manifests and the unit: what they refer to exists, and agrees."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from otel_agent_eval.config import loads
from otel_agent_eval.config.values import parse_endpoint

EXAMPLES = Path(__file__).parents[2] / "examples"
DEPLOY = EXAMPLES / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()
MANIFESTS = sorted((DEPLOY / "kubernetes").glob("*.yaml"))


def gateway_configs() -> list[tuple[str, str]]:
    """Every configuration of the gateway in the examples, those inside of manifests included."""
    found = [("gateway.yaml", (DEPLOY / "gateway.yaml").read_text())]
    for path in MANIFESTS:
        for document in yaml.safe_load_all(path.read_text()):
            if document["kind"] == "ConfigMap":
                found += [(path.name, text) for text in document["data"].values()]
    return found


@pytest.mark.parametrize(("name", "text"), gateway_configs(), ids=lambda value: value[:12])
def test_configurations_of_the_gateway_are_valid(name: str, text: str) -> None:
    assert loads(text, name, {}).warnings == ()


def test_what_compose_mounts_exists() -> None:
    for service in COMPOSE["services"].values():
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            if source.startswith("."):
                assert (DEPLOY / source).exists(), source
            else:
                assert source in COMPOSE["volumes"]


def test_what_compose_builds_exists_and_images_have_versions() -> None:
    for service in COMPOSE["services"].values():
        if "build" in service:
            assert (DEPLOY / service["build"]["context"] / service["build"]["dockerfile"]).exists()
        else:
            assert re.fullmatch(r"[\w./-]+:v?\d[\w.]*", service["image"])


def test_compose_publishes_ports_on_this_machine_only() -> None:
    ports = [port for service in COMPOSE["services"].values() for port in service.get("ports", ())]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_names_of_hosts_are_names_of_services() -> None:
    services = set(COMPOSE["services"])
    config = loads((DEPLOY / "gateway.yaml").read_text(), "gateway.yaml", {}).config
    hosts = {endpoint.address.host for e in config.exporters.values() for endpoint in e.endpoints().values()}
    prometheus = yaml.safe_load((EXAMPLES / "prometheus" / "prometheus.yml").read_text())
    targets = [t for job in prometheus["scrape_configs"] for group in job["static_configs"] for t in group["targets"]]
    alertmanagers = prometheus["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"]
    hosts |= {target.rpartition(":")[0] for target in (*targets, *alertmanagers)}
    sources = yaml.safe_load((EXAMPLES / "grafana/provisioning/datasources/datasources.yaml").read_text())
    hosts |= {parse_endpoint(source["url"]).address.host for source in sources["datasources"]}
    assert hosts <= services
    metrics = config.service.telemetry.metrics
    assert metrics.address is not None
    assert f"gateway:{metrics.address.port}" in targets
    assert prometheus["scrape_configs"][0]["job_name"] == config.alerts.job


def test_the_image_runs_as_a_user_and_checks_its_health() -> None:
    assert re.search(r"^USER 10001$", DOCKERFILE, re.MULTILINE)
    check = re.search(r"^\s*CMD (\[.*readyz.*\])$", DOCKERFILE, re.MULTILINE)
    assert check is not None
    *_, program = json.loads(check[1])
    unhealthy = program.replace(":8888", ":1")
    done = subprocess.run([sys.executable, "-c", unhealthy], capture_output=True, check=False, timeout=30)
    assert done.returncode != 0, "nobody answers there: the check must fail"


def test_pods_are_confined_and_probed() -> None:
    for path in MANIFESTS:
        for document in yaml.safe_load_all(path.read_text()):
            if document["kind"] not in {"StatefulSet", "Deployment"}:
                continue
            pod = document["spec"]["template"]["spec"]
            assert pod["securityContext"]["runAsNonRoot"] is True
            (gateway,) = (
                container
                for container in (*pod.get("initContainers", ()), *pod["containers"])
                if container["image"].startswith("otel-agent-eval:")
            )
            assert gateway["securityContext"]["readOnlyRootFilesystem"] is True
            assert {"livenessProbe", "startupProbe"} <= gateway.keys()
            volumes = {volume["name"] for volume in pod["volumes"]}
            volumes |= {claim["metadata"]["name"] for claim in document["spec"].get("volumeClaimTemplates", ())}
            assert {mount["name"] for mount in gateway["volumeMounts"]} <= volumes


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_accepts_the_unit_and_finds_it_confined(tmp_path: Path) -> None:
    text = (DEPLOY / "systemd" / "otel-agent-eval.service").read_text()
    unit = tmp_path / "otel-agent-eval.service"
    unit.write_text(text.replace("/opt/otel-agent-eval/bin/otel-agent-eval", "/bin/true"))
    verified = subprocess.run(
        ["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False, timeout=60
    )
    assert verified.returncode == 0
    assert "otel-agent-eval.service" not in verified.stderr, verified.stderr
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=20", unit]  # tenths: "OK" ends at 3.0
    confined = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert confined.returncode == 0, confined.stdout[-500:]
