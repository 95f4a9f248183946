"""A configuration cannot let content slip by a typo or by something forgotten, and its messages hold no secrets."""

from typing import Any, get_args

import pytest
import yaml

from otel_agent_eval.config import Config, ConfigError, PluginExporter, loads
from otel_agent_eval.config.redaction import ReadyPattern, Redaction
from otel_agent_eval.processors.redaction_patterns import PATTERNS
from otel_agent_eval.service.build import destination_settings
from otel_agent_eval.service.reload import check

SECRET = "a secret that nobody should read"


def config(redaction: Any, *, chosen: str | None = "redaction/x", pipeline: tuple[str, ...] = ()) -> dict[str, Any]:
    vendor = {"endpoint": "vendor.example:4317"} | ({} if chosen is None else {"redaction": chosen})
    return {
        "receivers": {"otlp": {"protocols": {"grpc": None}}},
        "processors": {"redaction/x": redaction},
        "exporters": {"otlp/vendor": vendor, "console": {"redaction": "none"}},
        "service": {
            "pipelines": {
                "traces": {"receivers": ["otlp"], "processors": [*pipeline], "exporters": ["otlp/vendor", "console"]}
            }
        },
    }


def load(document: dict[str, Any]) -> Config:
    return loads(yaml.safe_dump(document), "file", {}).config


def problems(document: dict[str, Any]) -> str:
    with pytest.raises(ConfigError) as caught:
        load(document)
    return str(caught.value)


def test_without_a_word_content_is_removed() -> None:
    settings = load(config(None)).processors["redaction/x"]
    assert isinstance(settings, Redaction)
    assert settings.content == "remove"


@pytest.mark.parametrize("typo", ["redaction/y", "redaction", "None", "", "agent_eval"])
def test_a_redaction_that_is_not_there_is_an_error(typo: str) -> None:
    assert "exporters.otlp/vendor.redaction: " in problems(config(None, chosen=typo))


def test_each_destination_must_say_what_it_may_get_once_there_is_a_redaction() -> None:
    assert "exporters.otlp/vendor: what may it get?" in problems(config(None, chosen=None))


def test_a_redaction_with_a_mistake_still_asks_each_destination() -> None:
    found = problems(config({"content": "removed"}, chosen=None))
    assert "content: expected remove, hash, mask or keep" in found
    assert "what may it get?" in found


def test_in_a_pipeline_a_redaction_is_an_error_that_says_where_it_goes() -> None:
    assert "write redaction: redaction/x under its exporter" in problems(config(None, pipeline=("redaction/x",)))


def test_a_redaction_that_no_exporter_names_is_warned_of() -> None:
    text = yaml.safe_dump(config(None, chosen="none"))
    assert "no exporter names it" in str([warning.message for warning in loads(text, "file", {}).warnings])


@pytest.mark.parametrize(
    "settings",
    [
        {"content": "hash"},
        {"exceptions": "hash"},
        {"attributes": [{"key": "a", "action": "hash"}]},
        {"patterns": ["email"], "pattern_action": "hash"},
    ],
)
def test_hashing_takes_a_secret(settings: dict[str, Any]) -> None:
    assert "give hmac_key" in problems(config(settings))
    load(config({**settings, "hmac_key": SECRET}))


@pytest.mark.parametrize("key", ["short", 1234567890123456, ["a secret that nobody should read"]])
def test_messages_do_not_hold_the_secret(key: Any) -> None:
    found = problems(config({"content": "hash", "hmac_key": key}))
    assert "hmac_key: " in found
    assert not any(part in found for part in ("short'", "1234567890123456", SECRET))
    assert SECRET not in repr(load(config({"content": "hash", "hmac_key": SECRET})))


def test_the_secret_can_lie_in_a_file(tmp_path: Any) -> None:
    file = tmp_path / "key"
    file.write_text(f"{SECRET}\n")
    settings = load(config({"content": "hash", "hmac_key_file": str(file)})).processors["redaction/x"]
    assert isinstance(settings, Redaction)
    assert settings.secret() == SECRET.encode()
    file.write_text("short")
    with pytest.raises(ValueError, match="hmac_key_file"):
        settings.secret()
    assert "cannot read" in problems(config({"content": "hash", "hmac_key_file": str(tmp_path / "none")}))
    assert "drop one" in problems(config({"hmac_key": SECRET, "hmac_key_file": str(file)}))


@pytest.mark.parametrize(
    ("regex", "message"),
    [("(", "not a regular expression"), ("(?=a)", "not a regular"), ("a*", "empty text"), (r"\C", "part of a")],
)
def test_regular_expressions_that_cannot_work_are_errors(regex: str, message: str) -> None:
    assert message in problems(config({"blocked_values": [regex]}))


def test_keys_of_the_collectors_processor_say_what_to_write_here() -> None:
    found = problems(config({"allow_all_keys": True, "blocked_key_patterns": ["a"], "hash_function": "md5"}))
    assert "without allowed_keys all stay" in found
    assert "under attributes" in found
    assert "HMAC-SHA256" in found


def test_a_destination_is_made_anew_when_its_redaction_changes() -> None:
    before, after = load(config(None)), load(config({"exceptions": "keep"}))
    assert destination_settings(before, "otlp/vendor") != destination_settings(after, "otlp/vendor")
    assert destination_settings(before, "console") == destination_settings(after, "console")
    check(before, after)  # takes effect without a restart


def test_the_ready_patterns_can_all_be_named() -> None:
    assert set(get_args(ReadyPattern)) == set(PATTERNS)


def test_plug_ins_do_not_get_the_key_that_is_not_theirs() -> None:
    exporter = PluginExporter.model_validate({"redaction": "redaction/x", "topic": "spans"})
    assert exporter.redaction == "redaction/x"
    assert exporter.settings == {"topic": "spans"}
