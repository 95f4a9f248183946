"""Parents of spans that belong to no convention, so that ancestry runs through them across requests."""


class Links:
    """The latest `limit` to `2 * limit` links of spans to their parents, by hex ids. Kept cheap: every span pays."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._new: dict[str, str] = {}
        self._old: dict[str, str] = {}

    def add(self, trace_id: str, span_id: str, parent_id: str) -> None:
        """Remember a link; the oldest half is forgotten at once when there is no room."""
        if len(self._new) >= self._limit:
            self._old, self._new = self._new, {}
        self._new[trace_id + span_id] = parent_id

    def parent_of(self, trace_id: str, span_id: str) -> str | None:
        """Return the parent of a span, "" for a root, None if the span is not known."""
        key = trace_id + span_id
        parent = self._new.get(key)
        return parent if parent is not None else self._old.get(key)

    def __len__(self) -> int:
        return len(self._new) + len(self._old)
