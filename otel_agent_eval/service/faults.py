"""What should never go wrong and did: told by type and place, once each; a message could quote content."""

import logging

_log = logging.getLogger(__name__)
_MOST = 100


class Faults:
    """Logs unforeseen exceptions, each kind once."""

    def __init__(self) -> None:
        self._told: set[str] = set()

    def report(self, what: str, error: Exception) -> None:
        """Log that `what` happened because of `error`."""
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        place = f"{trace.tb_frame.f_code.co_filename.rsplit('/', 1)[-1]}:{trace.tb_lineno}" if trace else ""
        self.once(what, error_type=type(error).__name__, at=place)

    def once(self, what: str, **fields: str) -> None:
        """Log `what`, unless it has been told with the same fields."""
        kind = f"{what} {fields}"
        if kind not in self._told and len(self._told) < _MOST:
            self._told.add(kind)
            _log.error(what, extra=fields)
