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
        return ": ".join(part for part in (where, path_text(self.path), self.message) if part)


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
        name = part if isinstance(part, int) or part.isprintable() else ascii(part)
        text += f"[{name}]" if isinstance(part, int) else f"{'.' if text else ''}{name}"
    return text
