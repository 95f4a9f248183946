"""The Collector's configurations: complete in themselves, and the branch without content holds none."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans, Span

from otel_agent_eval.annotation import catalogue
from otel_agent_eval.annotation.definitions import evaluator_attribute
from otel_agent_eval.conventions import read
from otel_agent_eval.conventions.extract import Extract
from otel_agent_eval.conventions.span import view_span

ROOT = Path(__file__).parents[2]
CONFIGS = sorted((ROOT / "examples" / "collector").glob("*.yaml"))
RECORDINGS = sorted((ROOT / "tests" / "recordings").glob("*/*/traces-*.bin"))


def load(name: str) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((ROOT / "examples" / "collector" / name).read_text())
    return document


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_pipelines_name_what_is_defined_and_all_of_it(path: Path) -> None:
    document = yaml.safe_load(path.read_text())
    named: dict[str, set[str]] = {"receivers": set(), "processors": set(), "exporters": set()}
    for pipeline in document["service"]["pipelines"].values():
        for section, names in named.items():
            names |= set(pipeline.get(section, ()))
    for section, names in named.items():
        assert names == set(document.get(section, {})), f"{path.name}: {section}"
    assert "not run where this was tested" in " ".join(path.read_text().replace("#", "").split())


def test_tail_sampling_waits_longer_than_the_gateway_and_keeps_what_failed() -> None:
    sampling = load("tail-sampling.yaml")["processors"]["tail_sampling"]
    assert int(sampling["decision_wait"].removesuffix("s")) > 6 + 5
    failed = sampling["policies"][0]["string_attribute"]
    assert failed == {"key": catalogue.LABEL.name, "values": ["fail"]}


def patterns() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """The patterns of what the branch without content keeps, on spans and on their events."""
    span, event, _ = load("two-branches.yaml")["processors"]["transform/without_content"]["trace_statements"]
    found = [re.search(r'"(.*)"\)$', statement) for statement in (span, event)]
    first, second = (re.compile(match[1].replace("\\\\", "\\")) for match in found if match)
    return first, second


def spans() -> Iterator[tuple[Span, ScopeSpans]]:
    for path in RECORDINGS:
        for resource in ExportTraceServiceRequest.FromString(path.read_bytes()).resource_spans:
            for scope in resource.scope_spans:
                yield from ((span, scope) for span in scope.spans)


def seen(span: Span, scope: ScopeSpans) -> Extract:
    return read(view_span(span, scope, {}))


def test_of_recorded_spans_the_branch_without_content_keeps_no_text() -> None:
    keep, keep_event = patterns()
    had = 0
    for span, scope in spans():
        before = seen(span, scope)
        had += bool(before.answers or before.turns or before.documents)
        kept = [pair for pair in span.attributes if keep.search(pair.key)]
        del span.attributes[:]
        span.attributes.extend(kept)
        for event in span.events:
            kept = [pair for pair in event.attributes if keep_event.search(pair.key)]
            del event.attributes[:]
            event.attributes.extend(kept)
        after = seen(span, scope)
        assert (after.answers, after.question, after.turns) == ((), "", ())
        assert not any(document.text for document in after.documents)
    assert had > 50


def test_the_branch_without_content_keeps_every_score() -> None:
    keep, _ = patterns()
    for name in ("toxicity", "input_toxicity", "faithfulness", "relevance", "my_plugin"):
        for attribute in catalogue.RESULT_ATTRIBUTES:
            if attribute is not catalogue.EVIDENCE_CUT:
                assert keep.search(evaluator_attribute(name, attribute.suffix))
    assert keep.search(catalogue.LABEL.name)
    assert not keep.search(evaluator_attribute("faithfulness", catalogue.UNSUPPORTED.suffix))
