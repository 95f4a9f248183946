"""The processor `redaction`: takes out of a request what its destination is not to get, just before it is sent."""

import re
from collections.abc import Collection, Iterable, MutableSequence
from copy import copy
from dataclasses import replace
from functools import partial

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from otel_agent_eval.conventions.content import EXCEPTION_EVENT, FAILED_BY, SPEAKING_NAMES, ContentNames, remembered
from otel_agent_eval.processors.redaction_rules import Action, Bearer, Decisions, Hasher, RedactionRules
from otel_agent_eval.processors.redaction_text import MASK, TextRedactor
from otel_agent_eval.signals import REQUEST_TYPES, ExportRequest, Payload

_SAID = frozenset({"content", "contents", "parts", "text", "tool_calls"})
"""What messages have beside a role."""
_LONG_NAME = 256
"""From so many characters on a name is searched as any text is, and what that takes is counted."""
_ROLE = re.compile(rb"""["']role\\*["']\s*:\s*\\*["'](?:user|assistant|system|developer|tool|model|human|ai)\\*["']""")
_CONTENT = re.compile(rb"""["'](?:contents?|parts|text|tool_calls)\\*["']\s*:""")


class Redactor:
    """Redacts requests of all signals: a pure function of a request. Safe in threads."""

    def __init__(self, rules: RedactionRules, names: ContentNames) -> None:
        self._rules = rules
        self._names = names
        self._decisions = Decisions(rules, names)
        self._hasher = Hasher(rules.key)
        self._texts = TextRedactor(rules.patterns, partial(self._hasher.instead, rules.pattern_action))
        self._is_clean = remembered(lambda name: self._texts.redact(name) == name)

    def concerns(self, payload: Payload) -> bool:
        """Say whether anything in a request may have to change. Costs less than parsing it."""
        body = payload.body
        return self._may_hold_content(body) or self._decisions.may_name(body) or self._texts.could_find(body)

    def __call__(self, payload: Payload) -> Payload:
        """Return the request without what is not to be sent, and without fields that are not known here.

        One in which nothing may have to change comes back as the very bytes that came. Raises whatever goes wrong: the
        request must then not be sent.
        """
        if not self.concerns(payload):
            return payload
        request = REQUEST_TYPES[payload.signal].FromString(payload.body)
        request.DiscardUnknownFields()
        one = copy(self)
        one._texts = self._texts.for_one_request()  # noqa: SLF001 (its own)
        one._change(request)  # noqa: SLF001 (its own)
        return replace(payload, body=request.SerializeToString())

    def _change(self, request: ExportRequest) -> None:
        match request:
            case ExportTraceServiceRequest():
                self._traces(request)
            case ExportLogsServiceRequest():
                self._logs(request)
            case ExportMetricsServiceRequest():
                self._metrics(request)

    def _may_hold_content(self, body: bytes) -> bool:
        exceptions = self._rules.exceptions is not Action.KEEP
        return (exceptions or self._rules.content is not Action.KEEP) and self._names.could_hold(
            body, exceptions=exceptions
        )

    def _traces(self, request: ExportTraceServiceRequest) -> None:
        for resource in request.resource_spans:
            bearers = []
            for scope in resource.scope_spans:
                agents = self._names.marks(scope.scope.name)
                spans = [self._span(span, agents=agents) for span in scope.spans]
                bearers.append(self._around(scope.scope.attributes, spans))
            self._around(resource.resource.attributes, bearers)

    def _span(self, span: Span, *, agents: bool) -> Bearer:
        bearer = Bearer.AGENT if agents or self._is_agents(span) else Bearer.OTHER
        span.name = self._part("span.name", span.name)
        if span.status.message:
            of_kind = self._rules.exceptions if bearer is Bearer.AGENT or _failed(span) else Action.KEEP
            span.status.message = self._part("span.status.message", span.status.message, of_kind)
        self._attributes(span.attributes, bearer)
        for event in span.events:
            event.name = self._part("event.name", event.name)
            self._attributes(event.attributes, bearer)
        for link in span.links:
            self._attributes(link.attributes, bearer)
        return bearer

    def _logs(self, request: ExportLogsServiceRequest) -> None:
        for resource in request.resource_logs:
            bearers = []
            for scope in resource.scope_logs:
                agents = self._names.marks(scope.scope.name)
                records = [self._record(record, agents=agents) for record in scope.log_records]
                bearers.append(self._around(scope.scope.attributes, records))
            self._around(resource.resource.attributes, bearers)

    def _record(self, record: LogRecord, *, agents: bool) -> Bearer:
        bearer = Bearer.AGENT if agents or self._tells_of_agents(record) else Bearer.OTHER
        record.event_name = self._part("event.name", record.event_name)
        if record.HasField("body"):
            action = self._decisions.part("log.body")
            if action is None and bearer is Bearer.AGENT and self._rules.content is not Action.KEEP:
                action = self._rules.content
            if action is Action.REMOVE:
                record.ClearField("body")
            else:
                self._value(record.body, action)
        self._attributes(record.attributes, bearer)
        return bearer

    def _metrics(self, request: ExportMetricsServiceRequest) -> None:
        for resource in request.resource_metrics:
            bearers = []
            for scope in resource.scope_metrics:
                agents = self._names.marks(scope.scope.name)
                metrics = [self._metric(metric, agents=agents) for metric in scope.metrics]
                bearers.append(self._around(scope.scope.attributes, metrics))
            self._around(resource.resource.attributes, bearers)

    def _metric(self, metric: Metric, *, agents: bool) -> Bearer:
        kind = metric.WhichOneof("data")
        points = getattr(metric, kind).data_points if kind else ()
        agents = agents or self._names.marks(metric.name) or any(self._mark(point.attributes) for point in points)
        bearer = Bearer.AGENT if agents else Bearer.OTHER
        self._attributes(metric.metadata, bearer)
        for point in points:
            self._attributes(point.attributes, Bearer.AGENT_POINT if agents else Bearer.DATA_POINT)
            for exemplar in getattr(point, "exemplars", ()):  # summaries have none
                self._attributes(exemplar.filtered_attributes, bearer)
        return bearer

    def _around(self, attributes: MutableSequence[KeyValue], within: Collection[Bearer]) -> Bearer:
        """Redact a resource or a scope, which is an agent's where anything in it is, or where it speaks itself."""
        agents = Bearer.AGENT in within or any(pair.key in SPEAKING_NAMES for pair in attributes)
        bearer = Bearer.AGENT if agents or self._mark(attributes) else Bearer.OTHER
        self._attributes(attributes, bearer)
        return bearer

    def _mark(self, attributes: Iterable[KeyValue]) -> bool:
        """Say whether attributes mark what bears them as an agent's."""
        return any(self._names.marks(pair.key) for pair in attributes)

    def _attributes(self, attributes: MutableSequence[KeyValue], bearer: Bearer) -> None:
        if bearer is Bearer.OTHER and self._mark(attributes):
            bearer = Bearer.AGENT
        for index in range(len(attributes) - 1, -1, -1):
            pair = attributes[index]
            action = self._decisions.attribute(pair.key, pair.value, bearer)
            if action is Action.REMOVE:
                del attributes[index]
                continue
            if action is not Action.KEEP and (len(pair.key) > _LONG_NAME or not self._is_clean(pair.key)):
                pair.key = self._texts.redact(pair.key)
            self._value(pair.value, action)

    def _value(self, value: AnyValue, action: Action | None) -> None:
        """Change a value in place: as an action says, else where a pattern is found in it."""
        match action:
            case Action.MASK | Action.HASH:
                value.string_value = MASK if action is Action.MASK else self._hasher.value(value)
            case None if self._rules.patterns:
                self._search(value)

    def _search(self, value: AnyValue) -> None:
        """Look for patterns in all texts of a value, however it is nested; in bytes, where they are a text."""
        match value.WhichOneof("value"):
            case "string_value":
                value.string_value = self._texts.redact(value.string_value)
            case "array_value":
                for item in value.array_value.values:
                    self._search(item)
            case "kvlist_value":
                for pair in value.kvlist_value.values:
                    pair.key = self._texts.redact(pair.key)
                    self._search(pair.value)
            case "bytes_value":
                text = value.bytes_value.decode("utf-8", "replace")
                if (redacted := self._texts.redact(text)) != text:
                    value.string_value = redacted

    def _part(self, name: str, text: str, otherwise: Action = Action.KEEP) -> str:
        """Return what becomes of a text that is no attribute."""
        action = self._decisions.part(name)
        if action is None and otherwise is Action.KEEP:
            return self._texts.redact(text)
        return self._hasher.instead(otherwise if action is None else action, text)

    def _is_agents(self, span: Span) -> bool:
        return self._mark(span.attributes) or any(self._names.marks(event.name) for event in span.events)

    def _tells_of_agents(self, record: LogRecord) -> bool:
        """Say whether a log record may hold a prompt or an answer: by its names, or by the shape of its body."""
        marks = self._names.marks
        if marks(record.event_name) or self._mark(record.attributes):
            return True
        if any(pair.key == "event.name" and marks(pair.value.string_value) for pair in record.attributes):
            return True
        body = {pair.key: pair.value for pair in record.body.kvlist_value.values}
        sides = (body[key].kvlist_value.values for key in ("input", "output") if key in body)
        if "role" in body or any(pair.key == "messages" for side in sides for pair in side):
            return True
        return self._is_marked(record.body)

    def _is_marked(self, value: AnyValue) -> bool:
        """Say whether a name that marks agents stands anywhere inside of a value, in JSON of texts included."""
        match value.WhichOneof("value"):
            case "kvlist_value":
                pairs = value.kvlist_value.values
                if "role" in (keys := {pair.key for pair in pairs}) and keys & _SAID:
                    return True
                return any(self._names.marks(pair.key) or self._is_marked(pair.value) for pair in pairs)
            case "array_value":
                return any(map(self._is_marked, value.array_value.values))
            case "string_value":
                return _shows_agents(value.string_value.encode("utf-8", "replace"))
            case "bytes_value":
                return _shows_agents(value.bytes_value)
        return False


def _shows_agents(text: bytes) -> bool:
    """Say whether a text is of an agent: by a name in its JSON, or by messages in JSON or as Python prints them."""
    return b'"gen_ai.' in text or (_ROLE.search(text) is not None and _CONTENT.search(text) is not None)


def _failed(span: Span) -> bool:
    """Say whether a span records an exception, which its status message then quotes."""
    return any(event.name == EXCEPTION_EVENT for event in span.events) or any(
        pair.key.startswith(FAILED_BY) for pair in span.attributes
    )
