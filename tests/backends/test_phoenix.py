"""Arize Phoenix behind the gateway: the scores are found through its own interfaces."""

from pathlib import Path

import httpx
import pytest
from backends.test_rotel import batches
from support.gateway import configuration, gateway
from support.phoenix import phoenix
from support.processes import wait_until

pytestmark = pytest.mark.backends


@pytest.mark.timeout(240)
@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_scores_are_found_by_attribute_in_phoenix(tmp_path: Path, protocol: str) -> None:
    with phoenix(tmp_path) as backend:
        exporters = {
            "grpc": {"otlp/phoenix": {"endpoint": backend.grpc_endpoint, "tls": {"insecure": True}}},
            "http": {"otlphttp/phoenix": {"endpoint": backend.url}},
        }
        request = next(batches())
        with gateway(configuration(exporters[protocol]), tmp_path) as running:
            answer = httpx.post(
                f"{running.http_endpoint}/v1/traces",
                content=request.SerializeToString(),
                headers={"content-type": "application/x-protobuf"},
            )
            assert answer.status_code == httpx.codes.OK
            spans = request.resource_spans[0].scope_spans[0].spans
            wait_until(lambda: len(backend.spans()) >= len(spans), 90, "arrival of the spans in Phoenix")
        asked = next(span for span in spans if span.name.startswith("chat"))
        stored = {span["context"]["span_id"]: span["attributes"] for span in backend.spans()}
        attributes = stored[asked.span_id.hex()]
        assert attributes["agent_eval.label"] in {"pass", "fail"}
        assert 0.0 <= attributes["agent_eval.toxicity.score"] <= 1.0
        assert attributes["agent_eval.faithfulness.reason"] == "no_context"
        condition = "attributes['agent_eval']['relevance']['outcome'] == 'scored'"
        assert backend.matching(condition) == [asked.span_id.hex()]
