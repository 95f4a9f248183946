"""The secured example as a process: senders with certificate and token, a backend that wants ours, and renewals."""

import shutil
import ssl
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bcrypt
import httpx
import pytest
import yaml
from live_process import Process
from service_samples import answer, own, traces
from support.certificates import Authority
from support.gateway import configuration
from support.otlp_sink import OtlpSink, Tls
from support.processes import free_port, wait_until

from otel_agent_eval.config import loads

EXAMPLE = Path(__file__).parents[2] / "examples/deploy/gateway-secured.yaml"
TOKENS = {"senders.tokens": "old-sender-token\nnew-sender-token\n", "backend.token": "backend-token-1\n"}
PASSWORD = "scraper-password"
HTTP = {"content-type": "application/x-protobuf"}


class Secured(Process):
    """The example with other ports, and a client that has all it takes."""

    def __init__(self, secrets: Path, authority: Authority, sink: OtlpSink, folder: Path) -> None:
        client = authority.issue("sender")
        self.https = httpx.Client(
            verify=_trusting(authority, client.cert, client.key), timeout=30, headers=HTTP, trust_env=False
        )
        config: dict[str, Any] = yaml.safe_load(EXAMPLE.read_text())
        for protocol in config["receivers"]["otlp"]["protocols"].values():
            protocol["endpoint"] = f"127.0.0.1:{free_port()}"
        config["exporters"]["otlp/backend"]["endpoint"] = sink.grpc_endpoint
        config["service"]["telemetry"]["metrics"] |= {"address": f"127.0.0.1:{free_port()}", "last_failure_file": None}
        config["service"]["queue"] = {"storage": "memory"}
        config["processors"]["agent_eval"] = {"evaluators": {"rudeness": {}}, "context_wait": "300ms"}
        super().__init__(config, folder)

    def page(self, path: str, **options: Any) -> int | None:
        try:
            address = self.config["service"]["telemetry"]["metrics"]["address"]
            return self.https.get(f"https://{address}/{path}", **options).status_code
        except httpx.TransportError:
            return None

    def send_with(self, token: str, **fields: Any) -> int:
        endpoint = self.endpoint("http").replace("http://", "https://")
        headers = {"authorization": f"Bearer {token}"}
        body = traces(answer("Paris.", **fields)).SerializeToString()
        return self.https.post(f"{endpoint}/v1/traces", content=body, headers=headers).status_code

    def end(self) -> None:
        self.https.close()
        super().end()


def _trusting(authority: Authority, cert: Path, key: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=authority.cert)
    context.load_cert_chain(cert, key)
    return context


@pytest.fixture
def secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "secrets"
    folder.mkdir()
    for name, text in TOKENS.items():
        (folder / name).write_text(text)
    (folder / "scrapers.htpasswd").write_text(
        f"prometheus:{bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode()}\n"
    )
    monkeypatch.setenv("SECRETS", str(folder))
    return folder


@pytest.fixture
def secured(secrets: Path, tmp_path: Path) -> Iterator[tuple[Secured, OtlpSink, Authority]]:
    made = tmp_path / "made"
    made.mkdir()
    authority = Authority(made)
    server, backend = authority.issue("gateway"), authority.issue("backend")
    for source, name in (
        (server.cert, "gateway.crt"),
        (server.key, "gateway.key"),
        (authority.cert, "senders-ca.crt"),
        (authority.cert, "backend-ca.crt"),
    ):
        shutil.copy(source, secrets / name)
    with OtlpSink(tls=Tls(backend.cert, backend.key)) as sink:
        gateway = Secured(secrets, authority, sink, tmp_path)
        try:
            gateway.ready()
            yield gateway, sink, authority
        finally:
            gateway.end()


def test_the_example_is_valid(secrets: Path) -> None:
    for name in ("gateway.crt", "gateway.key", "senders-ca.crt", "backend-ca.crt"):
        (secrets / name).write_text("")
    assert loads(EXAMPLE.read_text(), "gateway-secured.yaml", {"SECRETS": str(secrets)}).warnings == ()


def test_the_example_lets_in_whom_it_should_and_follows_its_files(
    secured: tuple[Secured, OtlpSink, Authority], secrets: Path
) -> None:
    gateway, sink, authority = secured
    assert gateway.popen.poll() is None, gateway.log.read_text()
    assert gateway.send_with("old-sender-token") == 200
    assert gateway.send_with("wrong-token") == 401
    assert [gateway.page(page) for page in ("healthz", "readyz", "metrics", "status")] == [200, 200, 401, 401]
    assert gateway.page("metrics", auth=("prometheus", PASSWORD)) == 200
    assert gateway.page("metrics", auth=("prometheus", "wrong")) == 401
    sink.wait_until(lambda: len(sink.spans()) >= 1, 10, lambda: "nothing")
    assert own(sink.spans()[0])["agent_eval.label"] == "pass"

    (secrets / "senders.tokens").write_text("new-sender-token\n")
    (secrets / "backend.token").write_text("backend-token-2\n")
    renewed = authority.issue("renewed")
    shutil.copy(renewed.cert, secrets / "gateway.crt")
    (secrets / "gateway.key").write_text("half wri")
    time.sleep(1.5)  # files are looked at once a second
    assert gateway.send_with("old-sender-token") == 401
    assert gateway.send_with("new-sender-token") == 200  # with the certificate of before
    shutil.copy(renewed.key, secrets / "gateway.key")
    time.sleep(1.5)
    gateway.https.close()
    client = authority.issue("another sender")
    gateway.https = httpx.Client(verify=_trusting(authority, client.cert, client.key), headers=HTTP, trust_env=False)
    with gateway.https.stream("POST", gateway.endpoint("http").replace("http://", "https://")) as response:
        shown = response.extensions["network_stream"].get_extra_info("ssl_object").getpeercert()["subject"]
    assert shown[0][0][1] == "renewed"
    sink.wait_until(lambda: len(sink.spans()) >= 2, 10, lambda: "one span")
    sent = [request.headers.get("authorization") for request in sink.requests()]
    assert sent[0] == "Bearer backend-token-1"
    assert sent[-1] == "Bearer backend-token-2"

    log = gateway.log.read_text()
    assert "Traceback" not in log
    secrets_of_all = [
        *TOKENS["senders.tokens"].split(),
        "backend-token",
        PASSWORD,
        "wrong-token",
        "PRIVATE KEY",
        "$2b$",
    ]
    assert [secret for secret in secrets_of_all if secret in log] == []
    assert [r["files"] for r in gateway.records() if "cannot be used" in r["message"]]


def test_a_sender_without_a_certificate_is_seen(secured: tuple[Secured, OtlpSink, Authority]) -> None:
    gateway, _, authority = secured
    with (
        httpx.Client(verify=ssl.create_default_context(cafile=authority.cert), trust_env=False) as nobody,
        pytest.raises(httpx.TransportError),
    ):
        nobody.post(f"{gateway.endpoint('http').replace('http://', 'https://')}/v1/traces", content=b"", headers=HTTP)

    def counted() -> bool:
        address = gateway.config["service"]["telemetry"]["metrics"]["address"]
        page = gateway.https.get(f"https://{address}/metrics", auth=("prometheus", PASSWORD)).text
        [line] = [line for line in page.splitlines() if line.startswith("agent_eval_gateway_handshake_failures_total")]
        return float(line.split()[-1]) == 1

    wait_until(counted, 10, "the failure on /metrics")
    (warning,) = [record for record in gateway.records() if "TLS handshake failed" in record["message"]]
    assert warning["key"] == "receivers.otlp.protocols.http.endpoint"
    assert warning["reason"] == "peer did not return a certificate"


def test_a_gateway_that_others_reach_says_so_once(otlp_sink: OtlpSink, tmp_path: Path) -> None:
    config = configuration({"otlphttp": {"endpoint": otlp_sink.http_endpoint}}, {"evaluators": {"rudeness": {}}})
    config["receivers"]["otlp"]["protocols"]["http"]["endpoint"] = f"0.0.0.0:{free_port()}"
    gateway = Process(config, tmp_path)
    try:
        gateway.ready()
        wait_until(lambda: "ready" in gateway.log.read_text(), 10, "the log")
        (warning,) = [record for record in gateway.records() if "other machines" in record["message"]]
    finally:
        gateway.end()
    assert warning["without_tls"] == warning["for_everybody"] == "receivers.otlp.protocols.http"
