"""In a running gateway: what is judged and pushed is redacted too; reloads and another key of hashes count at once."""

import asyncio
import logging
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from live_gateway import arrived, running
from service_samples import answer, own, traces
from support.otlp_sink import OtlpSink
from test_golden import key_values

from otel_agent_eval.config.load import loads
from otel_agent_eval.signals import Signal
from otel_agent_eval.watched import LOOK_EVERY

SECRET = "rude and secret"


def with_redaction(config: dict[str, Any], **settings: Any) -> None:
    """Redact what the first destination gets."""
    config["processors"]["redaction"] = settings
    for name, exporter in config["exporters"].items():
        exporter["redaction"] = "redaction" if name == "otlphttp/0" else "none"


async def test_evidence_of_plug_ins_goes_and_scores_stay() -> None:
    with OtlpSink() as vendor, OtlpSink() as house:
        async with running(vendor, house, change=lambda config: with_redaction(config, content="remove")) as live:
            await live.send(traces(answer(SECRET)))
            for sink in (vendor, house):
                await arrived(sink, Signal.TRACES, 1)
                await arrived(sink, Signal.LOGS, 1)
        full, bare = own(house.spans()[0]), own(vendor.spans()[0])
        assert full["agent_eval.rudeness.words"] == ["rude"]
        assert {key for key in full if key not in bare} == {"agent_eval.rudeness.words"}
        assert bare["agent_eval.rudeness.score"] == full["agent_eval.rudeness.score"] == 0.9
        assert SECRET.encode() in b"".join(received.body for received in house.requests())
        assert SECRET.encode() not in b"".join(received.body for received in vendor.requests())


async def test_a_segment_with_an_address_in_it_is_masked_in_pushed_metrics(otlp_sink: OtlpSink) -> None:
    def change(config: dict[str, Any]) -> None:
        with_redaction(config, content="keep", patterns=["email"])

    judged = answer("Paris.")
    judged.attributes.extend(key_values({"user.segment": "of bob@example.com"}))
    async with running(otlp_sink, change=change, segments=["user.segment"]) as live:
        await live.send(traces(judged))
        await arrived(otlp_sink, Signal.TRACES, 1)
    pushed = b"".join(received.body for received in otlp_sink.requests(Signal.METRICS))
    assert b"of [REDACTED]" in pushed
    assert b"bob@" not in b"".join(received.body for received in otlp_sink.requests())


async def test_another_redaction_holds_from_a_reload_on(otlp_sink: OtlpSink) -> None:
    async with running(otlp_sink, change=lambda config: with_redaction(config, content="keep")) as live:
        await live.send(traces(answer(SECRET)))
        await arrived(otlp_sink, Signal.TRACES, 1)
        with_redaction(live.config, content="remove")
        await live.gateway.reload(loads(yaml.safe_dump(live.config), "test", {}).config)
        await live.send(traces(answer(f"still {SECRET}")))
        await arrived(otlp_sink, Signal.TRACES, 2)
    before, after = (received.body for received in otlp_sink.accepted(Signal.TRACES))
    assert SECRET.encode() in before
    assert SECRET.encode() not in after
    assert b"agent_eval.rudeness.score" in after


async def test_another_key_of_hashes_counts_at_once_and_without_one_nothing_leaves(
    otlp_sink: OtlpSink, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "key"
    file.write_text("the first key of tests")

    def change(config: dict[str, Any]) -> None:
        with_redaction(config, content="hash", hmac_key_file=str(file))

    async with running(otlp_sink, change=change) as live:
        await live.send(traces(answer(SECRET)))
        await arrived(otlp_sink, Signal.TRACES, 1)
        file.write_text("short")
        await asyncio.sleep(LOOK_EVERY)
        await live.send(traces(answer(SECRET)))
        for _ in range(500):
            if "did not take a request" in caplog.text:
                break
            await asyncio.sleep(0.02)
        assert len(otlp_sink.spans()) == 1
        file.write_text("the second key of tests")
        await arrived(otlp_sink, Signal.TRACES, 2)
    bodies = [received.body for received in otlp_sink.requests(Signal.TRACES)]
    first, second = ({found.decode() for found in re.findall(rb"hmac-sha256:[0-9a-f]{64}", body)} for body in bodies)
    assert first
    assert second
    assert not first & second
    assert SECRET.encode() not in b"".join(bodies)
    errors = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert [vars(record)["files"] for record in errors] == [str(file)]
