"""What each instrumentation needs to be told before it records content, and whether it puts content in log records."""

from typing import NamedTuple

from otel_agent_eval.conventions.span import SpanView

_OTEL = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
_OTEL_ON = f"{_OTEL}=SPAN_ONLY with OTEL_SEMCONV_STABILITY_OPT_IN=gen_ai_latest_experimental"
_OTEL_LEGACY = f"{_OTEL}=true"
_OPENINFERENCE = "OPENINFERENCE_HIDE_INPUTS=false and OPENINFERENCE_HIDE_OUTPUTS=false"
_TRACELOOP = "TRACELOOP_TRACE_CONTENT=true"


class _Instrumentation(NamedTuple):
    scope: str  # how the name of its scope begins
    switch: str
    logs: bool = False


_INSTRUMENTATIONS = (  # the first that fits counts
    _Instrumentation("opentelemetry.instrumentation.genai.", f"{_OTEL}=SPAN_ONLY", logs=True),
    _Instrumentation("opentelemetry.util.genai", _OTEL_ON, logs=True),
    _Instrumentation("opentelemetry.instrumentation.openai_v2", f"{_OTEL_LEGACY} (or {_OTEL_ON})", logs=True),
    _Instrumentation("opentelemetry.instrumentation.openai_agents_v2", _OTEL_ON, logs=True),
    _Instrumentation("opentelemetry.instrumentation.google_genai", f"{_OTEL_LEGACY} (or {_OTEL_ON})", logs=True),
    _Instrumentation("opentelemetry.instrumentation.vertexai", f"{_OTEL_LEGACY} (or {_OTEL_ON})", logs=True),
    _Instrumentation("opentelemetry.instrumentation.botocore", _OTEL_LEGACY, logs=True),
    _Instrumentation("opentelemetry.instrumentation.", _TRACELOOP),
    _Instrumentation("@opentelemetry/instrumentation-", _OTEL_LEGACY, logs=True),
    _Instrumentation("@traceloop/", _TRACELOOP),
    _Instrumentation("traceloop", _TRACELOOP),
    _Instrumentation("io.opentelemetry.openai", "otel.instrumentation.genai.capture-message-content=true", logs=True),
    _Instrumentation("io.opentelemetry.aws", "otel.instrumentation.genai.capture-message-content=true", logs=True),
    _Instrumentation("openinference.", _OPENINFERENCE),
    _Instrumentation("@arizeai/openinference", _OPENINFERENCE),
    _Instrumentation("pydantic-ai", "InstrumentationSettings(include_content=True)", logs=True),
    _Instrumentation("logfire", "include_content=True in logfire's instrument_* call"),
    _Instrumentation("gcp.vertex.agent", f"ADK_CAPTURE_MESSAGE_CONTENT_IN_SPANS=true (ADK 2: {_OTEL_ON})", logs=True),
    _Instrumentation("haystack", "HAYSTACK_CONTENT_TRACING_ENABLED=true"),
    _Instrumentation("strands", _OTEL_ON, logs=True),
    _Instrumentation("opentelemetry.instrumentation_bedrock_agentcore", _OTEL_LEGACY, logs=True),
    _Instrumentation("azure.", "AZURE_TRACING_GEN_AI_CONTENT_RECORDING_ENABLED=true"),
    _Instrumentation("agent_framework", "ENABLE_SENSITIVE_DATA=true"),
    _Instrumentation("semantic_kernel", "SEMANTICKERNEL_EXPERIMENTAL_GENAI_ENABLE_OTEL_DIAGNOSTICS_SENSITIVE=true"),
    _Instrumentation(
        "Microsoft.SemanticKernel", "SEMANTICKERNEL_EXPERIMENTAL_GENAI_ENABLE_OTEL_DIAGNOSTICS_SENSITIVE=true"
    ),
    _Instrumentation("Experimental.Microsoft.", "EnableSensitiveData = true (UseOpenTelemetry)"),
    _Instrumentation("Microsoft.Extensions.AI", "EnableSensitiveData = true (UseOpenTelemetry)"),
    _Instrumentation("openlit", "openlit.init(capture_message_content=True)", logs=True),
    _Instrumentation("litellm", "litellm_settings.turn_off_message_logging: false"),
    _Instrumentation("com.anthropic.", ""),  # records no content; another instrumentation has to
)
_UNKNOWN = "not known for this instrumentation; texts belong in gen_ai.input.messages and gen_ai.output.messages"
_VERCEL = "experimental_telemetry: { isEnabled: true, recordInputs: true, recordOutputs: true }"


def capture_switch(span: SpanView) -> str:
    """Name the setting that makes the span's instrumentation record content, or where content belongs if none is known.

    `""` for instrumentations that never record any, and stand beside others that do.
    """
    if span.scope == "ai" or "ai.operationId" in span.attributes:
        return _VERCEL
    found = _find(span)
    return found.switch if found is not None else _UNKNOWN


def content_may_be_in_logs(span: SpanView) -> bool:
    """Say whether the span's instrumentation may put its content in log records.

    An unknown one that speaks the GenAI conventions may; OpenLLMetry, OpenInference and others never do.
    """
    found = _find(span)
    if found is not None:
        return found.logs
    return any(key.startswith("gen_ai.") for key in span.attributes)


def _find(span: SpanView) -> _Instrumentation | None:
    return next((known for known in _INSTRUMENTATIONS if span.scope.startswith(known.scope)), None)
