"""Reading configurations: what is right is read as it is meant, what is wrong is named by line and key."""

import os
import textwrap
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_agent_eval.config import Config, ConfigError, OtlpGrpcExporter, PluginExporter, load, loads
from otel_agent_eval.config.values import Address

ENVIRONMENT = {"TEMPO": "tempo.example", "TOKEN": "s3cret"}
GOOD = """\
receivers:
  otlp: {protocols: {grpc: {endpoint: 127.0.0.1:4317}, http: {endpoint: 127.0.0.1:4318}}}
processors:
  agent_eval:
    evaluators:
      toxicity: {model: builtin, threshold: 0.8}
      faithfulness: {model: builtin}
      relevance: {model: builtin}
    segments: [user.segment]
    rules:
      - match: {gen_ai.agent.name: billing}
        faithfulness: {threshold: 0.9}
exporters:
  otlp/tempo: {endpoint: "${env:TEMPO}:4317", headers: {x-scope-orgid: team-a}}
service:
  pipelines:
    traces: {receivers: [otlp], processors: [agent_eval], exporters: [otlp/tempo]}
"""


def config_of(text: str, **environment: str) -> Config:
    loaded = loads(textwrap.dedent(text), "c.yaml", ENVIRONMENT | environment)
    assert loaded.warnings == ()
    return loaded.config


def messages_of(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        loads(textwrap.dedent(text), "c.yaml", ENVIRONMENT)
    return str(caught.value).splitlines()


def test_the_documented_example_is_read() -> None:
    config = config_of(GOOD)

    exporter = config.exporters["otlp/tempo"]
    assert isinstance(exporter, OtlpGrpcExporter)
    assert exporter.endpoint.address == Address("tempo.example", 4317)
    assert exporter.headers == {"x-scope-orgid": "team-a"}
    agent_eval = config.agent_eval
    assert agent_eval is not None
    assert {name: e.threshold for name, e in agent_eval.evaluators.items()} == {
        "toxicity": 0.8,
        "faithfulness": None,
        "relevance": None,
    }
    assert agent_eval.rules[0].match == {"gen_ai.agent.name": ("billing",)}
    assert agent_eval.rules[0].evaluators["faithfulness"].threshold == 0.9
    assert config.service.pipelines.traces is not None


def test_named_but_empty_sections_have_their_defaults() -> None:
    config = config_of("""\
        receivers: {otlp: {protocols: {grpc: , http: }}}
        processors:
          agent_eval:
        exporters: {console: }
        service: {pipelines: {traces: {receivers: [otlp], processors: [agent_eval], exporters: [console]}}, telemetry: }
    """)

    protocols = config.receivers["otlp"].protocols
    assert protocols.grpc is not None
    assert protocols.grpc.endpoint == Address("127.0.0.1", 4317)
    assert protocols.http is not None
    assert protocols.http.max_request_body_size == 64 << 20
    assert config.agent_eval is not None
    assert set(config.agent_eval.evaluators) == {"toxicity", "input_toxicity", "faithfulness", "relevance"}


def test_durations_and_sizes_are_read_with_their_units() -> None:
    config = config_of(
        GOOD.replace("segments:", "context_wait: 1m30.5s\n    limits: {bytes: 2MiB}\n    segments:").replace(
            "headers:", "timeout: 500ms, sending_queue: {queue_size: 1048577}, headers:"
        )
    )

    assert config.agent_eval is not None
    assert config.agent_eval.context_wait == 90.5
    assert config.agent_eval.limits.bytes == 2 << 20
    exporter = config.exporters["otlp/tempo"]
    assert isinstance(exporter, OtlpGrpcExporter)
    assert (exporter.timeout, exporter.sending_queue.queue_size) == (0.5, 1048577)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("a-${env:TOKEN}-b", "a-s3cret-b"),
        ("${TOKEN}", "s3cret"),
        ("${env:ABSENT:-fall:-back}", "fall:-back"),
        ("${env:ABSENT:-}", ""),
        ("$$5 ${env:NESTED} $x", "$5 ${env:TOKEN} $x"),
    ],
)
def test_the_environment_is_put_in_once(written: str, read: str) -> None:
    config = config_of(GOOD.replace("team-a", f'"{written}"'), NESTED="${env:TOKEN}")

    exporter = config.exporters["otlp/tempo"]
    assert isinstance(exporter, OtlpGrpcExporter)
    assert exporter.headers == {"x-scope-orgid": read}


def test_numbers_and_switches_can_come_from_the_environment() -> None:
    text = GOOD.replace("threshold: 0.8", "threshold: '${env:T}'").replace(
        "segments:", "openinference: ${env:O}\n    segments:"
    )
    agent_eval = config_of(text, T="0.25", O="true").agent_eval

    assert agent_eval is not None
    assert agent_eval.evaluators["toxicity"].threshold == 0.25
    assert agent_eval.openinference is True


def test_anchors_and_merges_work_as_in_the_collector() -> None:
    text = GOOD.replace(
        "exporters:\n",
        "exporters:\n  otlp/a: &base {endpoint: 'http://a:1', timeout: 1s}\n  otlp/b: {<<: *base, timeout: 2s}\n",
    )
    exporters = config_of(text.replace("[otlp/tempo]", "[otlp/tempo, otlp/a, otlp/b]")).exporters

    merged = exporters["otlp/b"]
    assert isinstance(merged, OtlpGrpcExporter)
    assert (str(merged.endpoint), merged.timeout, merged.insecure) == ("http://a:1", 2.0, True)


def test_plain_words_and_times_stay_text() -> None:
    text = GOOD.replace("gen_ai.agent.name: billing", "a: on, b: 12:30, c: 2024-01-31, d: [007, 1, true, 0.5]")
    agent_eval = config_of(text).agent_eval

    assert agent_eval is not None
    assert agent_eval.rules[0].match == {
        "a": ("on",),
        "b": ("12:30",),
        "c": ("2024-01-31",),
        "d": ("007", "1", "true", "0.5"),
    }


def test_the_line_of_a_key_is_known_afterwards() -> None:
    loaded = loads(GOOD, "c.yaml", ENVIRONMENT)
    keys = ("exporters.otlp/tempo", "processors.agent_eval.rules[0].match", "service.queue.path", "alerts", "")
    assert [loaded.line(key) for key in keys] == [14, 11, 15, 1, 1]


def test_secrets_stay_out_of_the_representation() -> None:
    assert "s3cret" not in repr(config_of(GOOD.replace("team-a", "'${env:TOKEN}'")))


WRONG = yaml.safe_load((Path(__file__).parent / "wrong.yaml").read_text("utf-8"))


@pytest.mark.parametrize("case", WRONG, ids=lambda case: case["put"].replace("\n", " ")[:60])
def test_what_is_wrong_is_named_with_line_and_key(case: dict[str, str]) -> None:
    assert case["find"] in GOOD
    assert messages_of(GOOD.replace(case["find"], case["put"], 1)) == [case["message"]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "c.yaml: expected a mapping with receivers, exporters and service; the file is empty"),
        ("# nothing\n---\n", "c.yaml:3: expected a mapping with receivers, exporters and service; the file is empty"),
        ("3", "c.yaml:1: expected a mapping with receivers, exporters and service; this is 3"),
        ("\n- a", "c.yaml:2: expected a mapping with receivers, exporters and service; this is a list"),
        ("a: 1\n---\nb: 1", "c.yaml:2: not valid YAML: a second document (---); a configuration is one (column 1)"),
        (
            "a: !!python/object:os.system x",
            "c.yaml:1: a: the tag 'tag:yaml.org,2002:python/object:os.system' is not supported",
        ),
        ("? [a]\n: b", "c.yaml:1: a key must be a word, not a list or a mapping"),
        ("a: &a [*a]", "c.yaml: nested too deeply, or too many values"),
        ("[" * 3000, "c.yaml: nested too deeply, or too many values"),
        ("a: \x07", "c.yaml:1: a character that YAML does not allow"),
    ],
)
def test_what_is_no_configuration_at_all_is_said_in_one_line(text: str, message: str) -> None:
    assert messages_of(text) == [message]


def test_aliases_that_ask_for_billions_are_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 12)]

    assert messages_of("\n".join(lines)) == ["c.yaml: nested too deeply, or too many values"]


def test_everything_that_is_wrong_is_named_at_once_in_the_order_of_lines() -> None:
    text = GOOD.replace("threshold: 0.8", "threshold: 8").replace("[otlp/tempo]", "[otlp/x]").replace("grpc:", "grcp:")

    assert [message.split(": ")[0] for message in messages_of(text)] == ["c.yaml:2", "c.yaml:6", "c.yaml:17"]


def test_what_refers_to_a_wrong_component_is_named_too() -> None:
    assert messages_of(GOOD.replace("otlp/tempo: {", "otpl/tempo: {")) == [
        "c.yaml:14: exporters.otpl/tempo: unknown type 'otpl'; did you mean otlp?",
        (
            "c.yaml:17: service.pipelines.traces.exporters[0]: 'otlp/tempo' is not defined under exporters; "
            "did you mean otpl/tempo?"
        ),
    ]


@pytest.mark.parametrize(
    ("receiver", "exporter", "itself"),
    [
        ("127.0.0.1:4317", "localhost:4317", True),
        ("localhost:4317", "http://127.0.0.2:4317", True),
        ("127.0.0.1:4317", "'[::1]:4317'", True),
        ("0.0.0.0:4317", "127.0.0.1:4317", True),
        ("'[::]:4317'", "https://LOCALHOST:4317", True),
        ("127.0.0.1:4317", "0.0.0.0:4317", True),
        ("10.0.0.1:4317", "10.0.0.1:4317", True),
        ("gateway.example:4317", "Gateway.Example:4317", True),
        ("0.0.0.0:4317", "tempo:4317", False),
        ("10.0.0.1:4317", "127.0.0.1:4317", False),
        ("127.0.0.1:4317", "127.0.0.1:14317", False),
        ("127.0.0.1:4317", "127.0.0.1:4318", True),
    ],
)
def test_exporting_to_itself_is_refused(receiver: str, exporter: str, itself: bool) -> None:
    text = GOOD.replace("grpc: {endpoint: 127.0.0.1:4317}", f"grpc: {{endpoint: {receiver}}}")
    text = text.replace('"${env:TEMPO}:4317"', exporter)

    if itself:
        assert "is this gateway itself" in messages_of(text)[0]
    else:
        config_of(text)


def test_ports_that_the_system_chooses_do_not_meet() -> None:
    config_of(GOOD.replace("4318", "0").replace("grpc: {endpoint: 127.0.0.1:4317}", "grpc: {endpoint: 127.0.0.1:0}"))


def test_an_http_exporter_needs_a_url_for_each_signal_that_it_carries() -> None:
    text = GOOD.replace('otlp/tempo: {endpoint: "${env:TEMPO}:4317",', "otlphttp/t: {traces_endpoint: 'http://t:1/x',")
    text = text.replace("[otlp/tempo]", "[otlphttp/t]")
    config_of(text)

    (message,) = messages_of(text + "    logs: {exporters: [otlphttp/t]}\n")
    assert message.startswith("c.yaml:18: service.pipelines.logs.exporters[0]: otlphttp/t has no URL for logs: give")


def test_what_works_but_is_hardly_meant_is_a_warning() -> None:
    text = GOOD.replace("processors: [agent_eval], ", "").replace("exporters:\n", "exporters:\n  console: {}\n")
    loaded = loads(text, "c.yaml", ENVIRONMENT)

    assert [warning.text("c.yaml") for warning in loaded.warnings] == [
        "c.yaml:4: processors.agent_eval: no pipeline names it: it is not started",
        "c.yaml:14: exporters.console: no pipeline names it: it is not started",
        "c.yaml:17: service.pipelines: the traces pipeline does not name the processor agent_eval: nothing is scored",
    ]


def test_files_that_are_no_configuration_are_named(tmp_path: Path) -> None:
    binary, latin, large, fifo = (tmp_path / name for name in ("binary", "latin", "large", "absent"))
    binary.write_bytes(b"a: 1\n\0\0")
    latin.write_bytes(b"a: 1\nb: \xe9")
    large.write_bytes(b"#" * (2 << 20))

    def message(path: str | os.PathLike[str]) -> str:
        with pytest.raises(ConfigError) as caught:
            load(path, {})
        return str(caught.value)

    assert message(binary) == f"{binary}:2: a binary file; expected YAML"
    assert message(latin) == f"{latin}:2: not a text file in UTF-8"
    assert message(large) == f"{large}: larger than 1 MiB; expected a YAML file"
    assert message(fifo) == f"{fifo}: cannot be read: No such file or directory"
    assert message(tmp_path) == f"{tmp_path}: this is a directory; expected a YAML file"
    assert message("a\0b") == "a\\x00b: cannot be read: not a file name"


def test_a_file_that_may_not_be_read_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)  # the tests may run as root, whom no file refuses
    with pytest.raises(ConfigError, match="cannot be read: Permission denied"):
        load(tmp_path / "c.yaml", {})


def test_a_byte_order_mark_is_ignored(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text(GOOD, "utf-8-sig")

    assert load(path, ENVIRONMENT).config == config_of(GOOD)


def survives(text: str) -> None:
    told = "c.yaml"
    try:
        loads(text, "c.yaml", ENVIRONMENT)
    except ConfigError as error:
        told = str(error)
    assert all(line.startswith("c.yaml") for line in told.splitlines())


@settings(max_examples=100, deadline=None)
@given(st.text())
def test_no_text_makes_it_crash(text: str) -> None:
    survives(text)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_no_change_of_a_configuration_makes_it_crash(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(GOOD)))
    end = data.draw(st.integers(start, min(len(GOOD), start + 30)))
    pieces = st.sampled_from(
        [
            "{",
            "}",
            "[",
            "]",
            ":",
            ": ",
            "\n",
            "- ",
            "&a ",
            "*a",
            "<<",
            "${",
            "!!",
            "'",
            '"',
            "null",
            "1e999",
            "é",
            "\x85",
            "%",
            "|\n",
        ]
    )
    survives(GOOD[:start] + "".join(data.draw(st.lists(pieces | st.text(max_size=5), max_size=5))) + GOOD[end:])


json_like = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=10,
)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_no_value_at_any_key_makes_it_crash(data: st.DataObject) -> None:
    tree = yaml.safe_load(GOOD)
    here = tree
    while True:
        key = data.draw(st.sampled_from(list(here) if isinstance(here, dict) else list(range(len(here)))))
        inner = here[key]
        if not isinstance(inner, dict | list) or not inner or data.draw(st.booleans()):
            here[key] = data.draw(json_like)
            break
        here = inner
    survives(yaml.safe_dump(tree, allow_unicode=True))


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installed package, as far as its entry points show it."""
    info = tmp_path / "plugin-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[otel_agent_eval.evaluators]\npoliteness = p:E\n[otel_agent_eval.exporters]\nkafka = p:X\notlp = p:Y\n"
    )
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.usefixtures("plugin")
def test_plug_ins_are_named_like_built_in_ones() -> None:
    text = GOOD.replace("relevance: {", "politeness: {").replace(
        "otlp/tempo:", "kafka/audit: {topic: [a, 1]}\n  otlp/tempo:"
    )
    config = config_of(text.replace("exporters: [otlp/tempo]", "exporters: [otlp/tempo, kafka/audit]"))

    assert config.agent_eval is not None
    assert "politeness" in config.agent_eval.evaluators
    audit = config.exporters["kafka/audit"]
    assert isinstance(audit, PluginExporter)
    assert audit.settings == {"topic": ["a", 1]}
    assert "topic" not in repr(config)
    assert isinstance(config.exporters["otlp/tempo"], OtlpGrpcExporter)
