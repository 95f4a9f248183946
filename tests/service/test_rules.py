"""Which answers are judged and by what thresholds: rules, selectors and sampling at work."""

from typing import Any

import pytest
from live_gateway import arrived, running
from service_samples import answer, own, traces
from support.otlp_sink import OtlpSink

from otel_agent_eval.signals import Signal


@pytest.mark.parametrize(
    ("rule", "wanted"),
    [
        ({"match": {"service.name": "bill*"}, "rudeness": {"threshold": 0.95}}, {"label": "pass", "threshold": 0.95}),
        ({"match": {"service.name": "other"}, "rudeness": {"threshold": 0.95}}, {"label": "fail", "threshold": 0.5}),
        ({"match": {"gen_ai.agent.name": "helper"}, "rudeness": {"enabled": False}}, {"reason": "filtered"}),
        ({"match": {"gen_ai.agent.name": "helper"}, "skip": True}, {"reason": "filtered"}),
        ({"match": {}, "sampling_percentage": 0}, {"reason": "sampled_out"}),
        ({"match": {"span.name": "chat *"}, "rudeness": {"threshold": 0.95}}, {"label": "pass"}),
        ({"match": {"user.tier": [1, "gold"]}, "rudeness": {"threshold": 0.95}}, {"label": "pass"}),
    ],
)
async def test_rule_decides(otlp_sink: OtlpSink, rule: dict[str, Any], wanted: dict[str, Any]) -> None:
    sent = answer("You are rude", attributes={"gen_ai.agent.name": "helper", "user.tier": 1})
    async with running(otlp_sink, rules=[rule]) as live:
        await live.send(traces(sent, service="billing"))
        await arrived(otlp_sink, Signal.TRACES, 1)
    written = own(otlp_sink.spans()[0])
    assert {key: written.get(f"agent_eval.rudeness.{key}") for key in wanted} == wanted


async def test_selector_says_what_users_do_not_see(otlp_sink: OtlpSink) -> None:
    selectors = [{"match": {"span.name": "chat *"}, "user_facing": False}]
    async with running(otlp_sink, selectors=selectors) as live:
        await live.send(traces(answer("You are rude")))
        await arrived(otlp_sink, Signal.TRACES, 1)
    assert own(otlp_sink.spans()[0])["agent_eval.rudeness.reason"] == "not_user_facing"


async def test_thresholds_of_rules_are_edges_of_the_scores(otlp_sink: OtlpSink) -> None:
    rules = [{"match": {"service.name": "billing"}, "rudeness": {"threshold": 0.87}}]
    async with running(otlp_sink, rules=rules) as live:
        page = (await live.client.get(f"{live.admin}/metrics")).text
    assert 'le="0.87"' in page


async def test_claimed_sampling_weighs_the_counts_and_the_raw_number_stands_beside(otlp_sink: OtlpSink) -> None:
    quarter, absurd = "ot=th:c", "ot=th:ffffffffffffff"
    async with running(otlp_sink) as live:
        await live.send(traces(answer("Paris.", trace_state=quarter), answer("Rome.", trace_state="ot=th:zz,x=1")))
        await arrived(otlp_sink, Signal.TRACES, 2)
        weighted = await live.metric("agent_eval_evaluations_total", agent_eval_outcome="scored")
        raw = await live.metric("agent_eval_evaluations_raw_total", agent_eval_outcome="scored")
        await live.send(traces(answer("Paris.", trace_state=absurd)))
        await arrived(otlp_sink, Signal.TRACES, 3)
        most = await live.metric("agent_eval_evaluations_total", agent_eval_outcome="scored")
    assert (weighted, raw) == (5, 2)
    assert most == 1_000_005
