"""`otel-agent-eval findings`: a log of what was found and what was done, one dated Markdown file each."""

import datetime as dt
import re
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from otel_agent_eval.commands.terminal import visible

_FENCE = "---\n"
_MAX_BYTES = 1 << 20
_SECTIONS = "## What was found\n\n\n## What was done\n\n\n## What will show that it helped\n\n"
_SLUG_LENGTH = 60


class Finding(BaseModel):
    """The front matter of a finding."""

    model_config = ConfigDict(extra="allow")  # teams add fields of their own

    date: dt.date
    title: Annotated[str, Field(min_length=1, max_length=200)]
    status: Literal["open", "closed"] = "open"
    alert: str = ""
    service: str = ""


def add(folder: Path, finding: Finding) -> Path:
    """Write a finding into a new file, whose name has its date and its title, and return the path.

    Raises `OSError` where that is not possible. A file that is there is never touched.
    """
    folder.mkdir(parents=True, exist_ok=True)
    fields = yaml.safe_dump(finding.model_dump(), sort_keys=False, allow_unicode=True, width=1000)
    text = f"{_FENCE}{fields}{_FENCE}\n# {finding.title}\n\n{_SECTIONS}"
    for path in _names(folder, finding):
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
        except FileExistsError:
            continue
        return path
    raise FileExistsError(0, "there are too many findings of this name", str(folder))


def read(path: Path) -> Finding:
    """Read a finding. Raises `ValueError`, in words, for a file that is none, and `OSError`."""
    with path.open("rb") as file:
        data = file.read(_MAX_BYTES)
    try:
        text = data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError:
        raise ValueError("not a text file in UTF-8") from None
    start, _, rest = text.partition(_FENCE)
    fields, end, _ = rest.partition(f"\n{_FENCE}")
    if start or not end:
        raise ValueError("no front matter between two lines of ---")
    try:
        return Finding.model_validate(yaml.safe_load(fields))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise ValueError(f"front matter: {'.'.join(map(str, first['loc'])) or 'all'}: {first['msg']}") from None
    except (yaml.YAMLError, RecursionError, ValueError):
        raise ValueError("front matter: not valid YAML") from None


def run_add(folder: Path, title: str, alert: str, service: str, date: str | None) -> None:
    """Add a finding and print where it is; exit with 1 where it cannot be written."""
    found = {"title": " ".join(title.split()), "alert": alert, "service": service}
    try:
        finding = Finding.model_validate({**found, "date": date or dt.datetime.now(dt.UTC).date()})
        sys.stdout.write(f"{add(folder, finding)}\n")
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        sys.exit(f"{first['loc'][0]}: {first['msg'][:1].lower()}{first['msg'][1:]}")
    except OSError as error:
        sys.exit(f"{error.filename}: {error.strerror}")


def run_list(folder: Path, *, only_open: bool, as_json: bool) -> None:
    """Print the findings, newest first; name the files that are none, and exit with 1 where there are such."""
    if not folder.is_dir():
        sys.exit(f"{folder}: no such folder; otel-agent-eval findings add makes it")
    found: list[tuple[Path, Finding]] = []
    wrong = False
    for path in sorted(folder.glob("*.md"), reverse=True):
        try:
            found.append((path, read(path)))
        except (OSError, ValueError) as error:
            sys.stderr.write(f"{path}: {getattr(error, 'strerror', None) or error}\n")
            wrong = True
    found = [(path, finding) for path, finding in found if finding.status == "open" or not only_open]
    found.sort(key=lambda pair: pair[1].date, reverse=True)
    if as_json:
        sys.stdout.write("".join(f"{finding.model_dump_json()}\n" for _, finding in found))
    else:
        _show(found)
    if wrong:
        sys.exit(1)


def _show(found: list[tuple[Path, Finding]]) -> None:
    table = Table(box=box.SIMPLE)
    for column in ("date", "status", "alert", "service", "title", "file"):
        table.add_column(column)
    for path, finding in found:
        cells = (finding.date.isoformat(), finding.status, finding.alert, finding.service, finding.title, path.name)
        table.add_row(*(Text(visible(cell)) for cell in cells))
    Console().print(table)


def _names(folder: Path, finding: Finding) -> Iterator[Path]:
    """Yield file names for a finding: its date and its title in plain letters, numbered from the second on."""
    plain = unicodedata.normalize("NFKD", finding.title).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:_SLUG_LENGTH].strip("-") or "finding"
    yield folder / f"{finding.date}-{slug}.md"
    for number in range(2, 1000):
        yield folder / f"{finding.date}-{slug}-{number}.md"
