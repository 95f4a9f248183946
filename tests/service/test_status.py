"""`/status`: where a span is, what waits for whom and why, for people and as JSON; never content, never a secret."""

import asyncio
import html.parser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from live_gateway import Live, arrived, running
from service_samples import answer, span, traces
from support.otlp_sink import UNAVAILABLE, Answer, OtlpSink

from otel_agent_eval.delivery import DeadLetters
from otel_agent_eval.journal import Folder
from otel_agent_eval.service.status_page import clock, duration
from otel_agent_eval.service.whereabouts import clean_id
from otel_agent_eval.signals import Payload, Signal


async def status(live: Live, wanted: str = "") -> dict[str, Any]:
    found: dict[str, Any] = (
        await live.client.get(f"{live.admin}/status", params={"format": "json", "id": wanted})
    ).json()
    return found


class Visible(html.parser.HTMLParser):
    """Collects the text of a page and its tags."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, _attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    def handle_data(self, data: str) -> None:
        self.text += data + " "


async def page(live: Live, wanted: str = "") -> Visible:
    response = await live.client.get(f"{live.admin}/status", params={"id": wanted}, headers={"accept": "text/html"})
    assert response.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in response.headers["content-security-policy"]
    return Visible(response.text)


async def until(live: Live, wanted: str, key: str) -> dict[str, Any]:
    async with asyncio.timeout(20):
        while not (found := (await status(live, wanted))["found"])[key]:  # noqa: ASYNC110 (seen from outside)
            await asyncio.sleep(0.02)
    return found


async def test_an_answer_is_followed_from_its_receipt_to_its_verdict(otlp_sink: OtlpSink) -> None:
    async with running(otlp_sink, context_wait="30s") as live:
        parent = span("agent", {"gen_ai.operation.name": "invoke_agent"})
        child = answer("sleep 1 rude", trace_id=parent.trace_id, parent_span_id=parent.span_id)
        await live.send(traces(child))
        [seen] = (await status(live, parent.trace_id.hex()))["found"]["answers"]
        assert seen["span_id"] == child.span_id.hex()
        assert seen["received"] > 0 == seen["judged_since"] == seen["left"]
        assert "waits for the rest of its trace" in (await page(live, child.span_id.hex())).text
        sending = asyncio.create_task(live.send(traces(parent)))
        async with asyncio.timeout(20):
            while "waits for its scores" not in (await page(live, child.span_id.hex())).text:  # noqa: ASYNC110 (as above)
                await asyncio.sleep(0.02)
        await sending
        await arrived(otlp_sink, Signal.TRACES, 2)
        [seen] = (await status(live, child.span_id.hex()))["found"]["answers"]
        assert seen["verdicts"] == {"rudeness": "fail"}
        assert seen["left"] >= seen["judged_since"] >= seen["received"]
        assert "rudeness: fail" in (await page(live, child.span_id.hex())).text


@pytest.mark.parametrize("storage", ["disk", "memory"])
async def test_a_span_that_waits_for_a_destination_is_found_with_the_reason(storage: str, tmp_path: Path) -> None:
    def place(config: dict[str, Any]) -> None:
        config["service"]["queue"] = {"storage": storage, "path": str(tmp_path)}

    with OtlpSink() as dead, OtlpSink() as other:
        dead.answer(UNAVAILABLE)
        async with running(dead, other, change=place) as live:
            plain = span()
            await live.send(traces(plain))
            await arrived(other, Signal.TRACES, 1)
            await asyncio.to_thread(dead.wait_requests, 2)
            found = (await status(live, plain.trace_id.hex()))["found"]
            [located] = found["queued"]
            assert located["waiting"] == ["otlphttp/0"]
            assert found["whole"]
            [first, second] = (await status(live))["destinations"]
            assert first["queued_requests"] >= 1
            assert first["oldest_age"] > 0
            assert first["last_error"] == "HTTP 503"
            assert first["sent"] == {}
            assert second["queued_requests"] == 0
            assert second["sent"]["traces"] == 1
            text = (await page(live, plain.span_id.hex())).text
            assert "waits for otlphttp/0" in text
            assert "HTTP 503" in text
            dead.answer(Answer())


async def test_a_dead_letter_is_found(tmp_path: Path) -> None:
    with OtlpSink() as picky:
        picky.answer(Answer(http=400), signal=Signal.TRACES)
        async with running(picky, change=lambda c: c["service"].update(queue={"path": str(tmp_path)})) as live:
            plain = span()
            await live.send(traces(plain))
            found = await until(live, plain.span_id.hex(), "parked")
            assert (found["parked"][0]["destination"], found["parked"][0]["resending"]) == ("otlphttp/0", False)
            assert "dead letter of" in (await page(live, plain.span_id.hex())).text


async def test_who_parked_a_request_is_not_called_done(tmp_path: Path) -> None:
    with OtlpSink() as picky, OtlpSink() as slow:
        picky.answer(Answer(http=400), signal=Signal.TRACES)
        slow.answer(UNAVAILABLE)
        async with running(picky, slow, change=lambda c: c["service"].update(queue={"path": str(tmp_path)})) as live:
            plain = span()
            await live.send(traces(plain))
            await until(live, plain.span_id.hex(), "parked")
            async with asyncio.timeout(20):
                while not (kept := (await status(live, plain.span_id.hex()))["found"]["queued"])[0]["parked"]:  # noqa: ASYNC110 (as above)
                    await asyncio.sleep(0.02)
            assert (kept[0]["waiting"], kept[0]["done"], kept[0]["parked"]) == (["otlphttp/1"], [], ["otlphttp/0"])
            assert "a dead letter: otlphttp/0" in (await page(live, plain.span_id.hex())).text
            slow.answer(Answer())


async def test_letters_of_a_destination_that_is_gone_are_shown(otlp_sink: OtlpSink, tmp_path: Path) -> None:
    letters = DeadLetters(Folder(tmp_path))
    with Folder(tmp_path):
        for _ in range(2):
            letters.park("otlphttp/gone", Payload(Signal.LOGS, b"", 0), "HTTP 400")
        letters.resend("otlphttp/gone", "otlphttp/elsewhere")
        letters.park("otlphttp/gone", Payload(Signal.LOGS, b"", 0), "HTTP 400")
    async with running(otlp_sink, change=lambda c: c["service"].update(queue={"path": str(tmp_path)})) as live:
        async with asyncio.timeout(20):
            while len(rows := (await status(live))["destinations"]) < 3:  # noqa: ASYNC110 (as above)
                await asyncio.sleep(0.02)
        shown = {row["name"]: (row["dead_letters"], row["resending"], row["removed"]) for row in rows}
        assert shown == {
            "otlphttp/0": (0, 0, False),
            "otlphttp/elsewhere": (0, 2, True),
            "otlphttp/gone": (1, 0, True),
        }
        assert "2 to be sent again" in (await page(live)).text


async def test_what_is_unknown_is_said_with_how_long_the_gateway_remembers(otlp_sink: OtlpSink) -> None:
    async with running(otlp_sink) as live:
        found = (await status(live, "ab" * 16))["found"]
        assert not found["known"]
        assert found["remembered_since"] > 0
        assert "knows nothing of it" in (await page(live, "ab" * 16)).text


async def test_nothing_that_is_shown_can_become_markup(otlp_sink: OtlpSink) -> None:
    async with running(otlp_sink) as live:
        tags = (await page(live)).tags
        hostile = await page(live, '"><script>alert(1)</script><img src=x>')
        assert hostile.tags == tags
        assert "hexadecimal" in hostile.text
        assert "script" not in tags
        live.gateway.history.failed("<script>alert(1)</script>")
        refused = await page(live)
        assert "script" not in refused.tags
        assert "<script>alert(1)</script>" in refused.text
        answer_400 = await live.client.get(f"{live.admin}/status", params={"id": "x", "format": "json"})
        assert answer_400.status_code == 400
        assert "hexadecimal" in answer_400.json()["error"]


async def test_the_page_holds_neither_content_nor_headers(otlp_sink: OtlpSink) -> None:
    def secret(config: dict[str, Any]) -> None:
        config["exporters"]["otlphttp/0"]["headers"] = {"authorization": "Bearer s3cr3t"}
        config["exporters"]["otlphttp/keyed"] = {"endpoint": f"{otlp_sink.http_endpoint}?key=s3cr3t"}
        config["service"]["pipelines"]["metrics"]["exporters"] = ["otlphttp/keyed"]

    async with running(otlp_sink, change=secret) as live:
        judged = answer("You are rude", question="Who am I, Melchior?")
        await live.send(traces(judged))
        await arrived(otlp_sink, Signal.TRACES, 1)
        for wanted in ("", judged.span_id.hex()):
            raw = (await live.client.get(f"{live.admin}/status", params={"id": wanted})).text
            raw += str(await status(live, wanted))
            assert not [word for word in ("s3cr3t", "You are", "Melchior") if word in raw]


async def test_what_was_refused_last_is_told(otlp_sink: OtlpSink) -> None:
    async with running(otlp_sink) as live:
        await live.post(b"\xff\xff")
        http = next(r for r in (await status(live))["receivers"] if r["protocol"] == "http")
        assert http["refused"] == {"malformed": 1}
        assert http["last_refusal"] == "malformed"


async def test_the_evaluators_are_told_with_how_they_ended(otlp_sink: OtlpSink) -> None:
    async with running(otlp_sink) as live:
        await live.send(traces(answer("You are rude"), answer("Paris."), answer("raise"), answer()))
        await arrived(otlp_sink, Signal.TRACES, 4)
        evaluation = (await status(live))["evaluation"]
        [rudeness] = evaluation["evaluators"]
        assert rudeness["version"] == "test/rudeness@1"
        assert rudeness["labels"] == {"fail": 1, "pass": 1}
        assert rudeness["failed"] == 1
        assert sum(rudeness["skipped"].values()) == 1
        assert evaluation["waiting"] == 0


@given(st.text())
def test_an_id_is_hexadecimal_or_refused(text: str) -> None:
    try:
        assert len(bytes.fromhex(clean_id(text))) in {8, 16}
    except ValueError as error:
        assert "hexadecimal" in str(error)  # noqa: PT017 (either may happen)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-1, "0 ms"), (0.34, "340 ms"), (12.7, "12 s"), (185, "3 min 5 s"), (7200, "2 h"), (187_200, "2 d 4 h")],
)
def test_durations_are_short(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_time_that_never_was_is_never() -> None:
    assert (clock(0.0), clock(1.0)) == ("never", "1970-01-01 00:00:01")
