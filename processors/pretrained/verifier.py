"""What the verifiers of claims share."""

MAX_WINDOWS = 256
"""An answer that needs more windows is not read at all, and says so: time stays bounded for any text."""


class TooLongError(Exception):
    """An answer and its documents need more windows than are read."""
