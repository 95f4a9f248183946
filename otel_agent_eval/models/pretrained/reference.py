"""How a configuration names a model: a repository of the hub, or a path."""

import re
from dataclasses import dataclass
from pathlib import Path

_SHAPE = re.compile(
    r"(?P<repository>[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*)(?:@(?P<revision>[\w.-]+))?(?:/(?P<file>[\w./-]+))?",
    re.ASCII,
)
_ALIASES = {
    "detoxify/original": "unitary/toxic-bert",
    "detoxify/unbiased": "unitary/unbiased-toxic-roberta",
    "detoxify/multilingual": "unitary/multilingual-toxic-xlm-roberta",
}
"""Detoxify's authors publish the same weights on the hub in a format that holds nothing but weights."""


@dataclass(frozen=True, slots=True)
class HubReference:
    """A repository of the hub; `revision` is a branch, tag or commit, `file` the weights in it where they are named."""

    repository: str
    revision: str = ""
    file: str = ""

    def __str__(self) -> str:
        return self.repository + (f"@{self.revision}" if self.revision else "") + (f"/{self.file}" if self.file else "")


@dataclass(frozen=True, slots=True)
class LocalReference:
    """A folder, or a file of weights."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)


Reference = HubReference | LocalReference


def parse_reference(text: str) -> Reference:
    """Read `owner/name[@revision][/file]`, or a path that begins with `.`, `/` or `~`. Raises ValueError."""
    if text.startswith(("/", "./", "../", "~/")) and text.isprintable():
        return LocalReference(Path(text))
    found = _SHAPE.fullmatch(text)
    if found is None or ".." in text.split("/"):
        expected = "builtin, owner/name[@revision] on the Hugging Face hub, or a path such as ./folder"
        raise ValueError(f"expected {expected}; got {text[:100]!a}")
    repository = found["repository"]
    if repository.startswith("detoxify/") and repository not in _ALIASES:
        raise ValueError(f"expected one of: {', '.join(_ALIASES)}; got {text[:100]!a}")
    return HubReference(_ALIASES.get(repository, repository), found["revision"] or "", found["file"] or "")
