"""What is wrong with a configuration: where, and what would be right."""

from collections.abc import Sequence
from dataclasses import dataclass

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong. `line` counts from 1; 0 where the problem has no line."""

    message: str
    path: Path = ()
    line: int = 0

    def text(self, source: str) -> str:
        """Return one line: `source:line: key.path: message`."""
        where = f"{source}:{self.line}" if self.line else source
        return _printable(": ".join(part for part in (where, path_text(self.path), self.message) if part))


class ConfigError(Exception):
    """A configuration cannot be used. Its text has one line for each problem, in the file's order."""

    def __init__(self, source: str, problems: Sequence[Problem]) -> None:
        self.source = source
        self.problems = tuple(sorted(problems, key=lambda problem: problem.line))
        super().__init__("\n".join(problem.text(source) for problem in self.problems))


def path_text(path: Path) -> str:
    """Write a path as `exporters.otlp/tempo.headers` or `rules[0].match`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f"{'.' if text else ''}{part}"
    return text


def _printable(text: str) -> str:
    """Write out what would break the line or steer the terminal: names come from the file as they are."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
