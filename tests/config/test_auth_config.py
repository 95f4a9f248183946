"""Extensions, and who names them: what is wrong is named by line and key, and secrets are nowhere."""

import textwrap
from pathlib import Path

import pytest

from otel_agent_eval.config import Config, ConfigError, loads
from otel_agent_eval.config.auth_checks import exposed
from otel_agent_eval.config.extensions import BasicAuth, BearerTokenAuth

SECRET = "s3cret"
HASH = "alice:$2y$05$abcdefghijklmnopqrstuuOEPlKXZPgPFWpqZoZH0yXOJ4aZdS1aK"
GOOD = f"""\
extensions:
  bearertokenauth/in: {{tokens: [{SECRET}1, {SECRET}2]}}
  basicauth: {{htpasswd: {{inline: "{HASH}"}}, client_auth: {{username: gateway, password: "${{env:PASSWORD}}"}}}}
receivers:
  otlp:
    protocols:
      grpc: {{auth: {{authenticator: bearertokenauth/in}}}}
      http: {{auth: {{authenticator: basicauth}}}}
processors: {{agent_eval: }}
exporters:
  otlp/tempo: {{endpoint: "tempo:4317", auth: {{authenticator: basicauth}}}}
service:
  extensions: [basicauth, bearertokenauth/in]
  pipelines:
    traces: {{receivers: [otlp], processors: [agent_eval], exporters: [otlp/tempo]}}
"""


def config_of(text: str) -> Config:
    loaded = loads(textwrap.dedent(text), "c.yaml", {"PASSWORD": SECRET})
    assert loaded.warnings == ()
    return loaded.config


def messages_of(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        loads(textwrap.dedent(text), "c.yaml", {"PASSWORD": SECRET})
    return str(caught.value).splitlines()


def test_the_collectors_shape_is_read() -> None:
    config = config_of(GOOD)
    bearer, basic = config.extensions["bearertokenauth/in"], config.extensions["basicauth"]
    assert isinstance(bearer, BearerTokenAuth)
    assert isinstance(basic, BasicAuth)
    assert bearer.given == (f"{SECRET}1", f"{SECRET}2")
    assert basic.client_auth is not None
    assert basic.client_auth.password.get_secret_value() == SECRET


def test_no_secret_is_in_a_representation() -> None:
    config = config_of(GOOD)
    assert SECRET not in f"{config!r} {config}"
    assert HASH.partition(":")[2] not in repr(config)


@pytest.mark.parametrize(
    ("find", "put", "message"),
    [
        (
            "{authenticator: bearertokenauth/in}",
            "{authenticator: bearertokenauth}",
            "7: receivers.otlp.protocols.grpc.auth.authenticator: 'bearertokenauth' is not defined under extensions",
        ),
        (
            "{authenticator: bearertokenauth/in}",
            "bearertokenauth/in",
            "7: receivers.otlp.protocols.grpc.auth: expected a mapping (key: value); got 'bearertokenauth/in'",
        ),
        (
            "extensions: [basicauth,",
            "extensions: [basic,",
            "13: service.extensions[0]: 'basic' is not defined under extensions; did you mean basicauth?",
        ),
        (
            f"tokens: [{SECRET}1, {SECRET}2]",
            "",
            "2: extensions.bearertokenauth/in: give one of token, tokens and filename",
        ),
        (
            f"tokens: [{SECRET}1, {SECRET}2]",
            f"token: '{SECRET} with spaces'",
            "2: extensions.bearertokenauth/in.token: a token has printable ASCII characters only, and no spaces",
        ),
        (
            f"tokens: [{SECRET}1, {SECRET}2]",
            f"tokens: {SECRET}",
            "2: extensions.bearertokenauth/in.tokens: expected a list, for example [a, b]",
        ),
        (
            f"tokens: [{SECRET}1, {SECRET}2]",
            "token: 12345",
            "2: extensions.bearertokenauth/in.token: expected text (a number in quotes is text)",
        ),
        (
            f"tokens: [{SECRET}1, {SECRET}2]",
            "filename: /no/such/file",
            "2: extensions.bearertokenauth/in.filename: cannot read '/no/such/file': No such file or directory",
        ),
        (
            ', client_auth: {username: gateway, password: "${env:PASSWORD}"}',
            "",
            "11: exporters.otlp/tempo.auth.authenticator: basicauth has no client_auth: it does not say who we are",
        ),
        (
            f'htpasswd: {{inline: "{HASH}"}}, ',
            "",
            "8: receivers.otlp.protocols.http.auth.authenticator: basicauth has no htpasswd: it does not say who",
        ),
        (
            f'inline: "{HASH}"',
            "",
            "3: extensions.basicauth.htpasswd: give file, inline or both",
        ),
        (
            "username: gateway, ",
            "",
            "3: extensions.basicauth.client_auth: give username or username_file",
        ),
        (
            "auth: {authenticator: basicauth}}\nservice",
            "headers: {Authorization: x}, auth: {authenticator: basicauth}}\nservice",
            "11: exporters.otlp/tempo: headers and auth both give authorization: drop one",
        ),
        (
            "bearertokenauth/in: {tokens",
            "oidc: {tokens",
            "2: extensions.oidc: unknown type 'oidc'; expected one of: basicauth, bearertokenauth",
        ),
        (
            "processors: {agent_eval: }",
            "processors: {agent_eval: }\nhealth_check: {}",
            "10: health_check: unknown key; expected one of:",
        ),
        (
            "grpc: {auth",
            "grpc: {tls: {min_version: '1.3', cert_file: a, key_file: b}, auth",
            "7: receivers.otlp.protocols.grpc.tls.min_version: Python's gRPC speaks TLS 1.2, too, and cannot be told",
        ),
        (
            'endpoint: "tempo:4317"',
            'endpoint: "tempo:4317", tls: {min_version: 1.3}',
            "11: exporters.otlp/tempo.tls.min_version: Python's gRPC speaks TLS 1.2, too, and cannot be told",
        ),
        (
            "http: {auth",
            "http: {tls: {min_version: '1.1', cert_file: a, key_file: b}, auth",
            "8: receivers.otlp.protocols.http.tls.min_version: expected 1.2 or 1.3; got '1.1'",
        ),
    ],
)
def test_what_is_wrong_is_named_with_line_and_key_and_no_secret(find: str, put: str, message: str) -> None:
    assert find in GOOD
    messages = messages_of(GOOD.replace(find, put, 1))
    assert any(line.startswith(f"c.yaml:{message}") for line in messages), messages
    assert SECRET not in "".join(messages)


def test_an_extension_that_nobody_names_is_a_warning() -> None:
    text = GOOD.replace("http: {auth: {authenticator: basicauth}}", "http:").replace(
        ", auth: {authenticator: basicauth}}\nservice", "}\nservice"
    )
    warnings = loads(text, "c.yaml", {"PASSWORD": SECRET}).warnings
    assert [warning.text("c.yaml") for warning in warnings] == [
        "c.yaml:3: extensions.basicauth: nothing names it under auth: nobody is asked for it"
    ]


@pytest.mark.parametrize(
    ("endpoint", "tls", "warned"),
    [
        ("tempo:4317", "", False),
        ("http://tempo:4317", "", True),
        ("tempo:4317", "tls: {insecure: true}, ", True),
        ("http://localhost:14317", "", False),
    ],
)
def test_secrets_in_plain_text_to_another_machine_are_a_warning(endpoint: str, tls: str, warned: bool) -> None:
    text = GOOD.replace('endpoint: "tempo:4317", ', f'endpoint: "{endpoint}", {tls}')
    warnings = loads(text, "c.yaml", {"PASSWORD": SECRET}).warnings
    assert [warning.line for warning in warnings] == ([11] if warned else [])


def test_servers_that_others_reach_without_tls_or_credentials_are_listed(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    tls = f"tls: {{cert_file: {tmp_path}/a, key_file: {tmp_path}/a}}"
    assert exposed(config_of(GOOD)) == ([], [])
    text = GOOD.replace("grpc: {auth: {authenticator: bearertokenauth/in}}", "grpc: {endpoint: 0.0.0.0:4317}")
    text = text.replace("http: {auth", f"http: {{endpoint: 10.0.0.1:4318, {tls}, auth")
    text += "  telemetry: {metrics: {address: 0.0.0.0:8888}}\n"
    text = text.replace("  bearertokenauth/in: {tokens: [s3cret1, s3cret2]}\n", "").replace(
        ", bearertokenauth/in]", "]"
    )
    without_tls, for_everybody = exposed(config_of(text))
    assert without_tls == ["receivers.otlp.protocols.grpc", "service.telemetry.metrics"]
    assert for_everybody == ["receivers.otlp.protocols.grpc", "service.telemetry.metrics"]
    trusting = text.replace("10.0.0.1:4318, " + tls, "10.0.0.1:4318, " + tls).replace(
        ", auth: {authenticator: basicauth}}\nprocessors", "}\nprocessors"
    )
    assert "receivers.otlp.protocols.http" in exposed(config_of(trusting))[1]
