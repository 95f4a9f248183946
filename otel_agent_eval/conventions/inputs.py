"""The question in what a chain, agent or function was given, and the answer in what it returned."""

from collections.abc import Iterable, Mapping

from otel_agent_eval.conventions.messages import Message, is_message, read_messages, read_request
from otel_agent_eval.conventions.parts import is_part
from otel_agent_eval.conventions.values import Json, decode, is_absent, text

_MAX_DEPTH = 8

QUESTION_KEYS = (
    *("question", "query", "user_query", "userQuery", "user_question", "user_input", "user_message", "user_prompt"),
    *("query_str", "query_text", "search_query", "input", "input_value", "user", "human_input", "prompt", "inputs"),
    *("input_str", "messages", "new_message", "message", "input_data", "args", "kwargs", "state", "task", "topic"),
    *("request", "body", "value", "text", "q"),
)
_ANSWER_KEYS = (
    *("answer", "final_answer", "final_output", "output", "outputs", "result", "response", "completion", "reply"),
    *("output_text", "generated_text", "generation", "messages", "message", "replies", "last_message", "choices"),
    *("candidates", "generations", "content", "text", "value", "update", "return_values", "raw", "data"),
    *("output_data", "final_result", "llm_response"),
)
_REPLIES = frozenset({"replies", "messages"})
_NOT_QUESTIONS = frozenset({"name", "id", "type", "model", "session_id", "thread_id", "user_id", "language", "mode"})
_VARIABLE_NAMES = frozenset(QUESTION_KEYS[:14])


def question_in(value: Json, depth: int = _MAX_DEPTH) -> str:  # noqa: PLR0911 (one for each shape)
    """Find what the user asked in the input of a chain, agent, retriever or function; `""` if nothing says so."""
    value = decode(value).value
    if depth <= 0 or is_absent(value):
        return ""
    if isinstance(value, str):
        return text(value)
    if isinstance(value, list):
        return _question_in_list(value, depth)
    if not isinstance(value, Mapping):
        return ""
    if is_message(value) or is_part(value) or "contents" in value:
        return last_text(read_request(value), "user")
    for key in QUESTION_KEYS:
        if not is_absent(value.get(key)):
            found = question_in(value[key], depth - 1)
            if found:
                return found
    return _only_string(value)


def answer_in(value: Json, depth: int = _MAX_DEPTH) -> str:
    """Find the answer in what a chain, an agent or a function returned; `""` if nothing says which part it is."""
    value = decode(value).value
    if depth <= 0 or is_absent(value):
        return ""
    if isinstance(value, str):
        return text(value)
    if isinstance(value, list):
        value = [decode(item).value for item in value]
        if value and all(is_message(item) or is_part(item) for item in value):
            return _last_answer(read_messages(value, "assistant"))
        return answer_in(value[-1], depth - 1) if value and isinstance(value[-1], Mapping) and len(value) == 1 else ""
    return _answer_in_mapping(value, depth) if isinstance(value, Mapping) else ""


def question_variable(variables: Mapping[str, str]) -> str:
    """Find the question among the variables of a prompt template."""
    for name in QUESTION_KEYS:
        if name in _VARIABLE_NAMES and variables.get(name):
            return variables[name]
    return ""


def last_text(messages: Iterable[Message], role: str) -> str:
    """Give the text of the last message of a role that has any."""
    return next((message.text for message in reversed(list(messages)) if message.role == role and message.text), "")


def _answer_in_mapping(value: Mapping[str, Json], depth: int) -> str:
    if is_message(value) or is_part(value):
        return last_text(read_messages(value, "assistant"), "assistant")
    replies = value.get("replies")
    if isinstance(replies, list) and len(replies) == 1:  # of Haystack's generators: texts or messages
        return answer_in(replies[0], depth - 1)
    for key in _ANSWER_KEYS:
        if not is_absent(value.get(key)):
            found = answer_in(value[key], depth - 1)
            if found:
                return found
    answering = [item for item in value.values() if isinstance(item, Mapping) and not _REPLIES.isdisjoint(item)]
    if len(answering) == 1:  # Haystack's pipelines name the component: {"llm": {"replies": [...]}}
        return answer_in(answering[0], depth - 1)
    return _only_string(value)


def _last_answer(messages: list[Message]) -> str:
    """Give the last answer, unless the user spoke after it: then it is one of an earlier turn."""
    at = max((at for at, message in enumerate(messages) if message.role == "user" and message.text), default=-1)
    return last_text(messages[at + 1 :], "assistant")


def _question_in_list(value: list[Json], depth: int) -> str:
    value = [decode(item).value for item in value]
    if all(isinstance(item, str) for item in value):
        if len(value) == 2 and value[0].lower() in {"user", "human"}:  # noqa: PLR2004 (a pair)
            return text(value[1])
        return question_in(value[0], depth - 1) if len(value) == 1 else ""
    first = value[0]
    if isinstance(first, list) or is_message(first) or is_part(first):
        return last_text(read_messages(value, "user"), "user")
    # Arguments by position: the question comes first, what was retrieved for it after.
    return question_in(first, depth - 1) if isinstance(first, str) else ""


def _only_string(value: Mapping[str, Json]) -> str:
    """Take the only text of a mapping: `{"city_question": "..."}`."""
    if len(value) != 1:
        return ""
    ((key, item),) = value.items()
    return text(item) if isinstance(item, str) and key not in _NOT_QUESTIONS else ""
