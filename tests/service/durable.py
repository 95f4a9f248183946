"""A gateway with its queue on disk that dies in the middle of its work."""

import asyncio
from pathlib import Path
from typing import Any

from live_gateway import Live


def on_disk(folder: Path, **settings: Any) -> Any:
    """Change a configuration so that its queue is on disk."""

    def change(config: dict[str, Any]) -> None:
        config["service"]["queue"] = {"storage": "disk", "path": str(folder), **settings}

    return change


async def kill(live: Live, delivered: str = "") -> None:
    """Leave the gateway as a kill would, nothing drained, nothing more written, once a destination has everything."""
    journal = live.gateway._journal
    writer, folder = journal._writer, journal._folder
    assert writer is not None
    assert folder is not None
    if delivered:
        await asyncio.wait_for(journal.cursor(delivered).empty(), 30)
    async with asyncio.timeout(30):
        while not writer._tasks.empty():  # noqa: ASYNC110 (a thread empties it)
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)  # what it has taken last is written
    writer.put = lambda _task: None  # type: ignore[method-assign] (the process is dead)
    folder.release()
