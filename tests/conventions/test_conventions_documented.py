"""docs/conventions.md names what the readers read, and its example is a reader."""

import re
from pathlib import Path
from typing import Any

from convention_spans import make_span

from otel_agent_eval.conventions import READERS, marks_of, read
from otel_agent_eval.conventions.pairs import PAIRS

PAGE = (Path(__file__).parents[2] / "docs" / "conventions.md").read_text()


def test_every_convention_is_on_the_page() -> None:
    named = {pair.convention for pair in PAIRS}
    named |= {"otel_genai", "openinference", "vercel_ai", "openllmetry", "otel_genai_events", "pydantic_ai"}
    named |= {"google_adk", "litellm", "livekit", "monocle"}
    assert not {name for name in named if f"`{name}`" not in PAGE}


def test_the_example_reads_its_convention() -> None:
    (example,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, Any] = {"__name__": "acme_conventions"}
    exec(compile(example, "docs/conventions.md", "exec"), names)  # noqa: S102 (our own page)
    readers = (names["read"], *READERS)
    found = read(make_span({"acme.question": "How tall?", "acme.answer": "330 metres."}), readers)
    assert (found.convention, found.question, found.answers) == ("acme", "How tall?", ("330 metres.",))
    assert marks_of(readers).found_in(b"\n\x0bacme.answer")
