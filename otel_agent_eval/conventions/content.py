"""Which attributes hold what was asked, answered or retrieved, told by their names.

A list of what holds content would leak with the next version of any instrumentation. So names are taken for content
unless they are known to be none: in the namespaces of the conventions, which are the readers' own marks, only what
`PLAIN` names is not content, and numbers and truth values where `ALWAYS` does not name them.
"""

from collections.abc import Callable, Iterable, Sequence
from enum import Enum, auto
from functools import lru_cache
from typing import Any, Final, TypeVar

import re2

from otel_agent_eval.conventions.extract import Reader
from otel_agent_eval.conventions.identity import IDENTITY_KEYS
from otel_agent_eval.conventions.markers import MARKERS, plugin_markers
from otel_agent_eval.conventions.pairs import PAIRS
from otel_agent_eval.conventions.roles import KIND_KEYS

_REMEMBERED, _LONGEST_REMEMBERED = 8192, 256  # names, and their characters; those with an index have no end
T = TypeVar("T")

PLAIN: Final = (
    *(*IDENTITY_KEYS, *KIND_KEYS),
    # indexed messages, tools and documents: who speaks, and ids and scores
    *("gen_ai.prompt.#.role", "gen_ai.prompt.#.tool_call_id", "gen_ai.completion.#.role"),
    *("gen_ai.completion.#.finish_reason", "gen_ai.prompt.#.tool_calls.#.id", "gen_ai.prompt.#.tool_calls.#.name"),
    *("gen_ai.completion.#.tool_calls.#.id", "gen_ai.completion.#.tool_calls.#.name"),
    *("llm.input_messages.#.message.role", "llm.input_messages.#.message.tool_call_id"),
    *("llm.input_messages.#.message.tool_calls.#.tool_call.function.name", "llm.output_messages.#.message.role"),
    *(
        "llm.input_messages.#.message.tool_calls.#.tool_call.id",
        "llm.output_messages.#.message.tool_calls.#.tool_call.id",
    ),
    *("llm.output_messages.#.message.tool_calls.#.tool_call.function.name", "retrieval.documents.#.document.id"),
    *("llm.input_messages.#.message.contents.#.message_content.type", "retrieval.documents.#.document.score"),
    *("llm.output_messages.#.message.contents.#.message_content.type", "reranker.output_documents.#.document.id"),
    *("reranker.output_documents.#.document.score", "db.query.result.id", "db.query.result.score"),
    *("db.query.result.distance", "db.search.result.id", "db.search.result.score", "db.search.result.distance"),
    # OpenTelemetry
    *("gen_ai.provider.name", "gen_ai.system", "gen_ai.framework", "gen_ai.output.type", "gen_ai.agent.id"),
    *("gen_ai.agent.version", "gen_ai.agent.call.id", "gen_ai.tool.type", "gen_ai.tool.call.id", "gen_ai.tool.status"),
    *("gen_ai.data_source.id", "gen_ai.workflow.name", "gen_ai.step.name", "gen_ai.task.name", "gen_ai.task.id"),
    *("gen_ai.task.parent.id", "gen_ai.task.status", "gen_ai.response.finish_reason", "gen_ai.response.finish_reasons"),
    *("gen_ai.request.reasoning_effort", "gen_ai.request.encoding_formats", "gen_ai.token.type", "gen_ai.prompt.id"),
    *("gen_ai.prompt.name", "gen_ai.prompt.version", "gen_ai.openai.request.response_format", "openai.api.type"),
    *("gen_ai.openai.*system_fingerprint", "gen_ai.openai.*service_tier", "openai.*system_fingerprint"),
    *("openai.*service_tier", "gen_ai.evaluation.name", "gen_ai.evaluation.score.label", "mcp.method.name"),
    *("mcp.session.id", "mcp.protocol.version", "tool_call.id"),
    # others
    *("openinference.project.name", "evaluations.#.evaluation.name", "evaluations.#.evaluation.label"),
    *("evaluations.#.evaluation.annotator_kind", "evaluations.#.evaluation.identifier", "input.mime_type"),
    *("output.mime_type", "llm.provider", "llm.system", "llm.finish_reason", "ai.operationId"),
    *("ai.model.provider", "ai.response.finishReason", "ai.finishReason"),
    *("ai.response.timestamp", "ai.settings.output", "ai.telemetry.functionId", "ai.telemetry.metadata.userId"),
    *("ai.observability.record_id", "ai.observability.app_id", "ai.observability.app_name"),
    *("ai.observability.app_version", "ai.observability.run.name", "traceloop.entity.name", "traceloop.entity.path"),
    *("traceloop.workflow.name", "traceloop.association.properties.user_id", "langfuse.user.id", "langfuse.release"),
    *("langfuse.environment", "langfuse.version", "langfuse.observation.level", "langfuse.observation.usage_details"),
    *("langfuse.observation.cost_details", "langsmith.trace.name", "langsmith.trace.session_name"),
    *("langsmith.trace.id", "langsmith.metadata.user_id", "mlflow.traceRequestId", "mlflow.spanFunctionName"),
    *("mlflow.chat.tokenUsage", "mlflow.message.format", "mlflow.spanLogLevel", "mlflow.experimentId"),
    *("gcp.vertex.agent.event_id", "gcp.vertex.agent.invocation_id", "logfire.version", "logfire.span_type"),
    *("logfire.msg_template", "haystack.component.name", "haystack.component.type", "litellm.call_id"),
    *(
        "monocle_apptrace.version",
        "entity.#.name",
        "entity.#.type",
        "langwatch.user.id",
        "anthropic.message.stop_reason",
    ),
    # names without a namespace
    *("role", "id", "index", "type", "finish_reason", "finish_type", "error_code", "event.name", "user_id", "task_id"),
    *("session_id", "thread_id", "task_key", "crew_id", "crew_key", "tenant", "team", "region", "environment", "env"),
    *("version", "level", "severity", "logger", "status", "model_id", "public_key", "cluster", "namespace", "pod"),
    *("node", "container", "host", "hostname", "zone", "datacenter", "stage", "service", "release", "build", "commit"),
    "branch",
)
"""Names, ids and settings that hold no content; `*` is any text, `#` an index."""

ALWAYS: Final = (
    *(key for pair in PAIRS for key in (*pair.given, *pair.returned)),
    *(pair.variables + "*" for pair in PAIRS if pair.variables),
    *("gen_ai.input.messages*", "gen_ai.output.messages*", "gen_ai.prompt.*", "gen_ai.completion.*"),
    *("gen_ai.tool.call.arguments*", "gen_ai.tool.call.result*", "gen_ai.tool.result", "gen_ai.tool.output"),
    *("gen_ai.retrieval.documents*", "gen_ai.memory.*", "llm.input_messages*", "llm.output_messages*"),
    *("llm.prompt_template.*", "retrieval.documents*", "reranker.*documents*", "input.value", "output.value"),
    *("embedding.embeddings*", "embedding.vector*", "tool.parameters*", "ai.toolCall.*", "mcp.tool.*"),
    *("final_result", "tool_response", "tool_arguments", "request_data", "response_data"),
)
"""Content even where the value is a number; first what the readers' own tables name."""

EXCEPTIONS: Final = (
    *("exception.message", "exception.stacktrace", "error.message", "error.stack_trace", "error.stack"),
    *("error.details", "otel.status_description"),
)
"""What is said of exceptions: it often quotes what could not be processed, also on the spans around an agent's."""

EXCEPTION_EVENT: Final = "exception"
FAILED_BY: Final = ("exception.", "error.type", *EXCEPTIONS)
"""How names begin that say of a span that it failed by an exception, where no event tells of it."""
SPEAKING_KEYS: Final = ("role", "messages")
"""Keys in bodies of log records that show in their place that somebody speaks, without any other name."""

_SURE_NAMES: Final = (
    *("prompt", "prompts", "system_prompt", "user_prompt", "system_instructions", "completion", "completions"),
    *("chat_history", "user_input", "tool_arguments", "tool_calls"),
)
"""Names without a namespace that hold content whatever bears them: nobody else uses them."""
SPEAKING_NAMES: Final = (
    *_SURE_NAMES,
    *("instructions", "input", "inputs", "output", "outputs", "question", "answer", "messages", "conversation"),
    *("documents", "transcript"),
)
"""Names without a namespace that show on a resource, a scope or a data point that somebody speaks."""
_SPEAKING_ENDS: Final = (
    *SPEAKING_NAMES,
    *("text", "content", "contents", "message", "msg", "document", "entity", "description", "definitions", "choices"),
    *("all_messages", "all_messages_events", "llm_request", "llm_response", "tool_call_args", "args", "toolCalls"),
    *("stringified_raw_response", "chat_ctx", "user_transcript", "explanation", "reasoning", "unsupported", "schema"),
    *("json_schema", "template", "variables", "invocation_parameters"),
)
"""How the names of content end in the namespaces of conventions: what tells series apart ends otherwise."""

_AGENTS: Final = ("claude_code", "com.anthropic.claude_code", "gemini_cli", "qwen-code", "codex", "copilot_chat.")
"""How agents that nobody reads name their attributes, events and scopes; their texts have names without a namespace."""

NAMESPACES: Final = (
    *MARKERS,
    *("embedding.", "entity.", "graph.", "input.", "output.", "message.", "document.", "documents.", "metadata."),
    *("prompt.", "tool.", "evaluations.", "agno", "smolagents.", "sk.", "anthropic.", "openai.", "litellm."),
    *("messages.", "inputs.", "outputs.", "completion.", "langgraph.", "dspy.", "copilot_chat.", "tool_call.", "tag."),
    # vector stores
    *("db.query.embeddings", "db.search.embeddings", "db.documents", "db.metadatas", "db.chroma.", "db.pinecone."),
    *("db.qdrant.", "db.milvus.", "db.weaviate.", "db.marqo.", "vector_db."),
    # frameworks, and tools that watch agents, of which no reader is known to need anything
    *("confident.", "deepeval.", "fi.", "weave.", "wandb.", "opik.", "galileo.", "respan.", "keywordsai.", "helicone."),
    *("portkey.", "langchain.", "llama_index.", "llamaindex.", "autogen", "beeai.", "ollama.", "bedrock.", "cohere."),
    *("mistral", "vertexai.", "groq.", *_AGENTS),
)
"""How names begin that may hold content: what the readers read, and what the same instrumentations write beside it."""


class Kind(Enum):
    """What a name says of the attribute."""

    CONTENT = auto()
    """Content."""
    UNKNOWN = auto()
    """In a namespace of a convention, however it is spelled: content unless it is a number or a truth value."""
    BARE = auto()
    """Without a namespace: the same, where what bears it is an agent's."""
    PLAIN = auto()
    """Known to hold no content, as long as its value is a text, a number or a list of such."""
    EXCEPTION = auto()
    """What is said of an exception."""
    OTHER = auto()
    """No content."""


class ContentNames:
    """Tells content by its name, for a table of readers that may contain plug-ins, and further `plain` names.

    Raises `ValueError` where a plug-in does not name its markers: what it reads could be anywhere.
    """

    def __init__(self, readers: Sequence[Reader], plain: Iterable[str] = (), namespaces: Iterable[str] = ()) -> None:
        extra = plugin_markers(readers)
        if extra is None:
            raise ValueError("a plug-in convention names no markers, so that its content cannot be told by its names")
        self._marking = tuple(mark.lower() for mark in (*MARKERS, *extra, *_AGENTS))
        self._namespaces = tuple(name.lower() for name in (*NAMESPACES, *extra, *namespaces))
        self._plain = _indexed((*PLAIN, *plain))
        beginnings = (*self._namespaces, *SPEAKING_KEYS)
        self._content_marks = _encoded_names(beginnings, SPEAKING_NAMES)
        self._exception_marks = _encoded_names((*beginnings, EXCEPTION_EVENT, *FAILED_BY), SPEAKING_NAMES)
        self.marks = remembered(self._marks_agents)

    def could_hold(self, raw: bytes, *, exceptions: bool) -> bool:
        """Say whether anything in an encoded request may be content, or said of an exception; never false where it is.

        Costs about half as much as parsing it.
        """
        return (self._exception_marks if exceptions else self._content_marks).search(raw) is not None

    def _marks_agents(self, name: str) -> bool:
        """Say whether a name (of an attribute, event or scope) marks what bears it as an agent's."""
        return name.lower().startswith(self._marking)

    def kind(self, name: str) -> Kind:
        """Say what an attribute's name says of it."""
        if self._plain.fullmatch(name):
            return Kind.PLAIN
        if _ALWAYS.fullmatch(name):
            return Kind.CONTENT
        if name in EXCEPTIONS:
            return Kind.EXCEPTION
        if name.lower().startswith(self._namespaces) or name in _SURE_NAMES:
            return Kind.UNKNOWN
        return Kind.OTHER if "." in name else Kind.BARE


def speaks(name: str) -> bool:
    """Say whether a name, in the namespace of a convention or in none, surely is one of content, by how it ends."""
    return name in SPEAKING_NAMES if "." not in name else name.rpartition(".")[2] in _SPEAKING_ENDS


def remembered(find: Callable[[str], T]) -> Callable[[str], T]:
    """Remember what was found for a name; not for long ones, which nobody gives to attributes in earnest."""
    known = lru_cache(_REMEMBERED)(find)
    return lambda name: known(name) if len(name) <= _LONGEST_REMEMBERED else find(name)


def pattern_of(globs: Iterable[str]) -> Any:  # noqa: ANN401 (RE2 has no types)
    """Compile names in which `*` is any text, to be matched as a whole; none fits where there are none.

    Names come from senders, and can be long: RE2 takes time in proportion to them however many `*` there are.
    """
    return re2.compile(_expression(globs))


def _encoded_names(beginnings: Iterable[str], whole: Iterable[str]) -> Any:  # noqa: ANN401 (RE2 has no types)
    """Compile a look for names in an encoded request, by how they begin or `whole`: behind a field's tag and length.

    The tags are those of keys, of names of scopes and of texts (1), of names of events (2) and of log records (12).
    Parsers take numbers that are longer than they need be, so they are looked for, too.
    """
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.case_sensitive = False
    names = b"|".join(re2.escape(beginning.encode()) for beginning in beginnings)
    exact = b"|".join(rb"(?:\x%02x|\x%02x\x80*\x00)" % (len(n), len(n) | 0x80) + re2.escape(n.encode()) for n in whole)
    shapes = rb"gen_ai\.|[\"']role\\*[\"']"  # in JSON, and in what Python prints
    return re2.compile(_TAG + b"(?:" + _LENGTH + b"(?:" + names + b")|" + exact + b")|" + shapes, options)


def _indexed(names: Iterable[str]) -> Any:  # noqa: ANN401 (RE2 has no types)
    """Compile names in which `#` is an index, too."""
    return re2.compile(_expression(names).replace(r"\#", "[0-9]+"))


def _expression(globs: Iterable[str]) -> str:
    names = "|".join(re2.escape(glob).replace(r"\*", ".*") for glob in globs)
    return f"(?s:{names})" if names else r"[^\x00-\x{10FFFF}]"


_TAG: Final = rb"(?:[\n\x12\x62]|[\x8a\x92\xe2]\x80*\x00)"
_LENGTH: Final = rb"[\x80-\xff]{0,9}[\x00-\x7f]"
_ALWAYS: Final = _indexed(ALWAYS)
