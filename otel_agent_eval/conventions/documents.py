"""Retrieved documents, in every shape that retrievers, vector stores, rerankers, memories and tools return."""

from collections.abc import Mapping, Sequence

from otel_agent_eval.conventions.messages import is_message, read_messages
from otel_agent_eval.conventions.parts import is_part, result_text, undotted
from otel_agent_eval.conventions.reprs import looks_like_repr
from otel_agent_eval.conventions.values import Json, decode, is_absent, number, text
from otel_agent_eval.evaluation.interaction import Document

_MAX_DEPTH = 8
_MAX_DOCUMENTS = 10_000  # ten times what assembly keeps, so that it can tell that there were more

_TEXT_KEYS = (
    *(
        "page_content",
        "pageContent",
        "content",
        "text",
        "document",
        "snippet",
        "chunk",
        "passage",
        "body",
        "raw_content",
    ),
    *("chunk_text", "chunk_content", "memory", "fact", "abstract", "excerpt", "page_text", "summary", "description"),
)
_NESTED_KEYS = (
    "node",
    "document",
    "kwargs",
    "payload",
    "entity",
    "fields",
    "_source",
    "data",
    "metadata",
    "properties",
)
_ID_KEYS = (
    "id",
    "document_id",
    "doc_id",
    "chunk_id",
    "node_id",
    "id_",
    "_id",
    "uuid",
    "key",
    "doc_uri",
    "url",
    "source",
)
_SCORE_KEYS = (
    *("score", "similarity", "similarity_score", "relevance_score", "relevanceScore", "rerank_score", "_score"),
    *("search_score", "@search.score", "distance", "certainty"),
)
_LIST_KEYS = (
    *("documents", "docs", "retrieved_documents", "retrieved_contexts", "contexts", "source_documents", "source_nodes"),
    *("nodes", "chunks", "passages", "matches", "hits", "points", "results", "records", "memories", "retrievalResults"),
    *("search_results", "items", "sources", "context", "value", "outputs", "output", "result", "response", "data"),
    *("return", "retriever", "retrieved_references", "references", "citations"),
)
_MIN_TEXT = 20  # characters on average: lists of shorter strings are labels, sub-questions or steps


def documents_in(value: Json, depth: int = _MAX_DEPTH) -> list[Document]:  # noqa: PLR0911 (one for each shape)
    """Read what a retriever returned; `[]` where nothing has the shape of documents.

    A plain string is one document. Records with an id and no text give documents with the text `""`.
    """
    value = decode(value).value
    if depth <= 0 or is_absent(value):
        return []
    if isinstance(value, str):
        return [Document(id="0", text=text(value))]
    if isinstance(value, list):
        return _numbered(_from_list(value, depth))
    if not isinstance(value, Mapping):
        return []
    columns = _from_columns(value)
    if columns:
        return _numbered(columns)
    inner = value.get("hits")
    if isinstance(inner, Mapping):  # Elasticsearch: {"hits": {"hits": [...]}}
        return documents_in(inner, depth - 1)
    for key in _LIST_KEYS:
        found = decode(value.get(key)).value
        if (isinstance(found, list) and found) or (
            isinstance(found, Mapping) and key in {"outputs", "output", "result"}
        ):
            documents = documents_in(found, depth - 1)
            if documents:
                return documents
    one = _document(value, depth)
    return _numbered([one]) if one is not None else []


def has_documents(value: Json, depth: int = _MAX_DEPTH) -> bool:
    """Say whether a value has the shape of retrieved records, whatever the span says it does."""
    value = decode(value).value
    if isinstance(value, Mapping):
        inner = (value[key] for key in ("documents", "context", "docs", "outputs") if key in value)
        return depth > 0 and any(has_documents(item, depth - 1) for item in inner)
    if not isinstance(value, list) or not value:
        return False
    if all(isinstance(item, str) for item in value):
        records = [decode(item).value for item in value]
        if all(isinstance(item, Mapping) for item in records):
            return has_documents(records, depth - 1) if depth > 0 else False
        return sum(map(len, value)) >= _MIN_TEXT * len(value) and not any(map(looks_like_repr, value))
    return all(isinstance(item, Mapping) and not is_message(item) and _is_record(item) for item in value[:20])


def tool_documents(value: Json) -> list[Document]:
    """Read what a tool returned: its records where it returned records, else one document with all of its text."""
    decoded = decode(value).value
    if is_absent(decoded):
        return []
    holder = decoded
    for _ in range(_MAX_DEPTH):  # {"output": ToolMessage}, {"result": [...]}
        if has_documents(holder):
            return documents_in(holder)
        if not isinstance(holder, Mapping):
            break
        if is_message(holder):
            holder = "\n".join(m.text or "\n".join(m.results) for m in read_messages(holder, "tool"))
            break
        key = next((key for key in ("output", "outputs", "result", "results", "response") if key in holder), None)
        if key is None or len(holder) > 2:  # noqa: PLR2004 (the result and what was asked: a wrapper, not a record)
            break
        holder = decode(holder[key]).value
    if isinstance(holder, list) and holder and all(isinstance(item, str) for item in holder):
        return documents_in(holder)
    if isinstance(holder, list) and holder and all(is_message(item) for item in holder):
        holder = "\n".join(m.text for m in read_messages(holder, "tool"))
    body = result_text(holder)
    return [Document(id="0", text=body)] if body else []


def _from_list(value: Sequence[Json], depth: int) -> list[Document]:
    documents: list[Document] = []
    for item in value[:_MAX_DOCUMENTS]:
        item = decode(item).value  # noqa: PLW2901 (the same thing, decoded)
        if isinstance(item, str):
            documents += [Document(id="", text=text(item))] if not is_absent(item) else []
        elif isinstance(item, Mapping):
            one = _document(undotted(item, "document."), depth)
            if one is not None:
                documents.append(one)
        elif isinstance(item, list):
            if len(item) == 2 and isinstance(item[0], Mapping | str) and number(item[1]) is not None:  # noqa: PLR2004 (a pair)
                documents += [  # LangChain's (document, score)
                    Document(id=d.id, text=d.text, score=number(item[1])) for d in _from_list(item[:1], depth)
                ]
            elif depth > 0:
                documents += _from_list(item, depth - 1)
    return documents[:_MAX_DOCUMENTS]


def _from_columns(value: Mapping[str, Json]) -> list[Document]:
    """Read Chroma's columns: `{"ids": [[...]], "documents": [[...]], "distances": [[...]]}`."""
    ids, texts = _flat(value.get("ids")), _flat(value.get("documents"))
    if not ids or not all(isinstance(item, str) for item in ids):
        return []
    scores = _flat(value.get("distances") or value.get("scores"))
    return [
        Document(
            id=identifier,
            text=text(texts[i]) if i < len(texts) else "",
            score=number(scores[i]) if i < len(scores) else None,
        )
        for i, identifier in enumerate(ids[:_MAX_DOCUMENTS])
    ]


def _flat(value: Json) -> list[Json]:
    if not isinstance(value, list):
        return []
    return [item for row in value for item in row] if value and all(isinstance(row, list) for row in value) else value


def _document(record: Mapping[str, Json], depth: int) -> Document | None:
    """Read one record; None where it has neither text nor an id."""
    body, identifier = _text_of(record, depth), _id_of(record)
    if not body and not identifier:
        return None
    return Document(id=identifier, text=body, score=_score_of(record))


def _text_of(record: Mapping[str, Json], depth: int) -> str:
    for key in _TEXT_KEYS:
        found = record.get(key)
        if isinstance(found, str) and not is_absent(found):
            inner = decode(found).value  # a record as JSON inside a record
            if isinstance(inner, Mapping) and depth > 0:
                return _text_of(inner, depth - 1) or text(found)
            return text(found)
        if isinstance(found, list) and found and all(is_part(part) or isinstance(part, str) for part in found):
            return result_text(found)
        if isinstance(found, Mapping) and key in {"content", "text"} and found:  # memory records, Bedrock
            return (_text_of(found, depth - 1) if depth > 0 else "") or text(found)
    for key in _NESTED_KEYS:
        found = record.get(key)
        if isinstance(found, Mapping) and depth > 0:
            body = _text_of(found, depth - 1)
            if body:
                return body
    return ""


def _id_of(record: Mapping[str, Json]) -> str:
    for holder in (record, *(record.get(key) for key in _NESTED_KEYS)):
        if isinstance(holder, Mapping):
            for key in _ID_KEYS:
                found = holder.get(key)
                if isinstance(found, str | int) and not isinstance(found, bool) and not is_absent(found):
                    return text(str(found))
    return ""


def _score_of(record: Mapping[str, Json]) -> float | None:
    inner = [value for key in _NESTED_KEYS if isinstance(value := record.get(key), Mapping)]
    for holder in (record, *inner):
        for candidate in (holder, decode(holder.get("metadata")).value):
            if isinstance(candidate, Mapping):
                for key in _SCORE_KEYS:
                    found = number(candidate.get(key))
                    if found is not None:
                        return found
    return None


def _is_record(item: Mapping[str, Json]) -> bool:
    if any(isinstance(item.get(key), str) for key in ("page_content", "pageContent")):
        return True
    kwargs = item.get("kwargs")
    if isinstance(kwargs, Mapping) and "page_content" in kwargs:
        return True
    if any(isinstance(item.get(key), Mapping) for key in ("node", "document")):
        return True
    return (
        any(isinstance(item.get(key), str) for key in ("text", "content", "snippet", "chunk", "document", "passage"))
        and any(key in item for key in (*_ID_KEYS, *_SCORE_KEYS, "metadata", "meta_data", "meta", "title", "name"))
        and not isinstance(item.get("type"), str)
    )


def _numbered(documents: Sequence[Document]) -> list[Document]:
    """Give documents without an id their position."""
    return [d if d.id else Document(id=str(i), text=d.text, score=d.score) for i, d in enumerate(documents)]
