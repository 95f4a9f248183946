"""A few rows of public sets, as they are; each names its source and licence."""

import json
from pathlib import Path

from otel_agent_eval.evaluation import Document, Interaction

_ROWS = json.loads(Path(__file__).with_suffix(".json").read_text("utf-8"))
INTERACTIONS = [
    Interaction(
        question=row["question"],
        answer=row["answer"],
        documents=tuple(Document(id=str(number), text=text) for number, text in enumerate(row["documents"])),
    )
    for row in _ROWS
]
