"""The journal: every request on disk as it came, or in memory, until all whom it is for are done with it."""

from otel_agent_eval.journal.cursor import Cursor, Entry
from otel_agent_eval.journal.folder import Folder, QueueError
from otel_agent_eval.journal.journal import Journal, Recalled
from otel_agent_eval.journal.limits import Limits, Lose, Loss, ReaderLimits
from otel_agent_eval.journal.lookup import Located, Search
from otel_agent_eval.journal.receipt import Receipt

__all__ = [
    "Cursor",
    "Entry",
    "Folder",
    "Journal",
    "Limits",
    "Located",
    "Lose",
    "Loss",
    "QueueError",
    "ReaderLimits",
    "Recalled",
    "Receipt",
    "Search",
]
