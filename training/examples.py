"""One training example, whatever its head."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Example:
    """Segment A, segment B (or none), targets (None = unknown, no loss) and the weight of its loss."""

    a: str
    b: str | None
    targets: tuple[float | None, ...]
    weight: float = 1.0
