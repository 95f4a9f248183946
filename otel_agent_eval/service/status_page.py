"""`/status` for people: one page without scripts or anything from elsewhere, built of elements, so nothing escapes."""

import base64
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final
from xml.etree.ElementTree import Element, SubElement, tostring

from otel_agent_eval.service.sightings import MOST_SIGHTINGS, Sighting
from otel_agent_eval.service.status import (
    Counts,
    DestinationStatus,
    EvaluationStatus,
    EvaluatorStatus,
    ReceiverStatus,
    Status,
)
from otel_agent_eval.service.whereabouts import Kept, Whereabouts, readers
from otel_agent_eval.signals import Signal

_STYLE: Final = """
:root { color-scheme: light dark; --line: #8884; --soft: #8882; --bad: #c62828; --good: #2e7d32; --warn: #b26a00 }
@media (prefers-color-scheme: dark) { :root { --bad: #ff8a80; --good: #81c784; --warn: #ffb74d } }
* { box-sizing: border-box }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 0 auto; padding: 1rem }
h1 { font-size: 1.3rem; margin: 0 } h2 { font-size: 1.05rem; margin: 2rem 0 .5rem }
header { display: flex; flex-wrap: wrap; gap: .25rem 1rem; align-items: baseline }
section > div { overflow-x: auto; margin-top: .6rem }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums }
th, td { text-align: left; vertical-align: top; padding: .35rem .9rem .35rem 0; border-bottom: 1px solid var(--line) }
th { font-weight: 600; font-size: .85rem; opacity: .75; white-space: nowrap }
small, .soft { opacity: .7 } small { display: block }
code { font: .92em ui-monospace, monospace; overflow-wrap: anywhere }
.bad { color: var(--bad) } .good { color: var(--good) } .warn { color: var(--warn) }
p { margin: .4rem 0 }
form { display: flex; gap: .5rem; flex-wrap: wrap }
input { font: inherit; flex: 1 1 20rem; min-width: 0; padding: .45rem .6rem; border: 1px solid var(--line);
  border-radius: 6px; background: var(--soft); color: inherit }
button { font: inherit; padding: .45rem 1rem; border: 1px solid var(--line); border-radius: 6px;
  background: var(--soft); color: inherit; cursor: pointer }
@media (max-width: 40rem) {
  thead, td:empty { display: none }
  tr { display: block; padding: .5rem 0; border-bottom: 1px solid var(--line) }
  td { display: grid; grid-template-columns: 8.5rem 1fr; border: 0; padding: .1rem 0 }
  td::before { content: attr(data-label); font-size: .85rem; opacity: .75 }
}
footer { margin-top: 2rem; font-size: .85rem; opacity: .7 }
"""
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
HEADERS: Final = {
    "content-security-policy": f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self';"
    " frame-ancestors 'none'; base-uri 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}
"""What a browser may do with the page: show it."""

_ITEMS: Final = {Signal.TRACES: "spans", Signal.LOGS: "log records", Signal.METRICS: "data points"}
_Cell = Element | str


def page(status: Status, asked: str, found: Whereabouts | None, mistake: str) -> bytes:
    """Return the page; `asked` is the id that was asked for as it was written, `mistake` what is wrong with it."""
    html = Element("html", lang="en")
    head = SubElement(html, "head")
    SubElement(head, "meta", charset="utf-8")
    SubElement(head, "meta", name="viewport", content="width=device-width, initial-scale=1")
    SubElement(head, "title").text = "otel-agent-eval: status"
    SubElement(head, "style").text = _STYLE
    body = SubElement(html, "body")
    _header(body, status)
    _search(body, status, asked, found, mistake)
    _destinations(_section(body, "Destinations"), status)
    _receivers(_section(body, "Receivers"), status)
    _evaluation(_section(body, "Evaluation"), status.evaluation)
    _configuration(_section(body, "Configuration"), status)
    footer = "Times are UTC. Counts are since the start. The same as JSON: "
    SubElement(_add(body, "footer", footer), "a", href="?format=json").text = "?format=json"
    content: bytes = tostring(html, "utf-8", method="html")
    return b"<!DOCTYPE html>\n" + content


def _header(body: Element, status: Status) -> None:
    header = SubElement(body, "header")
    SubElement(header, "h1").text = "otel-agent-eval"
    _add(header, "span", status.state, "good" if status.state == "ready" else "warn")
    _add(header, "span", f"version {status.version}, up {duration(status.now - status.started)}", "soft")


def _search(body: Element, status: Status, asked: str, found: Whereabouts | None, mistake: str) -> None:
    section = _section(body, "Where is my span?")
    form = SubElement(section, "form", method="get", action="status")
    field = {"name": "id", "value": asked, "maxlength": "80", "autocomplete": "off", "spellcheck": "false"}
    label = "trace id or span id, in hex"
    SubElement(form, "input", field | {"placeholder": label, "aria-label": label})
    SubElement(form, "button").text = "Find"
    if mistake:
        _add(section, "p", mistake, "bad")
    if found is not None:
        _found(section, status, found)


def _found(section: Element, status: Status, found: Whereabouts) -> None:
    if found.answers:
        rows: list[list[_Cell]] = [
            [_code(f"{span}"), clock(sighting.received), _place(sighting, status.now), _verdicts(sighting)]
            for (_, span), sighting in found.answers
        ]
        _table(section, ("span with an answer", "received", "where", "verdicts"), rows)
    if found.queued:
        requests: list[list[_Cell]] = [
            [f"#{located.position}", located.signal.value, clock(located.time), _waits(located)]
            for located in found.queued
        ]
        _table(section, ("request in the queue", "signal", "since", "where"), requests)
    if found.parked:
        letters = [
            [parked.destination, clock(parked.time), parked.reason + "; to be sent again" * parked.resending]
            for parked in found.parked
        ]
        _table(section, ("dead letter of", "since", "because of"), letters)
    if not found.known:
        _add(section, "p", "This gateway knows nothing of it: it did not come here, or it has been delivered.", "warn")
    _add(
        section, "p",
        f"Spans with answers are remembered, here since {clock(found.remembered_since)}, the last {MOST_SIGHTINGS:,} at"
        " most; all else only while it is in the queue, and about a minute longer on disk."
        + ("" if found.whole else " There is more in the queue than was looked through."), "soft",
    )  # fmt: skip


def _place(sighting: Sighting, now: float) -> str:
    if sighting.left:
        return f"on its way after {duration(sighting.left - sighting.received)}"
    if sighting.judged_since:
        return f"waits for its scores, for {duration(now - sighting.judged_since)}"
    return f"waits for the rest of its trace, for {duration(now - sighting.received)}"


def _verdicts(sighting: Sighting) -> str:
    return "; ".join(f"{name}: {ending}" for name, ending in sighting.verdicts.items()) or "none"


def _waits(kept: Kept) -> Element:
    cell = Element("span")
    if kept.waiting:
        cell.text = f"waits for {readers(kept.waiting)}"
    if kept.done:
        _add(cell, "small", f"done: {readers(kept.done)}")
    if kept.parked:
        _add(cell, "small", f"a dead letter: {readers(kept.parked)}", "warn")
    return cell


def _destinations(section: Element, status: Status) -> None:
    rows = [_destination(each, status.now) for each in status.destinations]
    header = ("name", "waiting", "oldest", "next retry", "sent", "dropped", "dead letters", "last error")
    _table(section, header, rows)
    text = f"Queue: {_size(status.queue_bytes)} of {_size(status.queue_limit)}, in {status.queue_place}"
    _add(section, "p", text + f", {status.queue_unreadable} parts unreadable" * bool(status.queue_unreadable), "soft")


def _destination(each: DestinationStatus, now: float) -> list[_Cell]:
    name = Element("span")
    name.text = each.name
    if each.removed:
        _add(name, "small", "not configured", "warn")
    for endpoint in each.endpoints:
        _add(name, "small", endpoint)
    if each.not_taken:
        _add(name, "small", f"does not take {', '.join(each.not_taken)}", "warn")
    waiting = Element("span")
    waiting.text = f"{each.queued_requests:,}"
    if each.queued_requests:
        _add(waiting, "small", _size(each.queued_bytes))
    error = Element("span")
    error.text = each.last_error or "none"
    if each.last_error:
        error.set("class", "bad" if each.queued_requests else "soft")
        _add(error, "small", f"{duration(now - each.last_error_time)} ago, {clock(each.last_error_time)}")
    letters = Element("span")
    letters.text = f"{each.dead_letters:,}" if each.dead_letters else ""
    if each.resending:
        _add(letters, "small", f"{each.resending:,} to be sent again")
    retry = "" if each.next_retry is None else f"in {duration(each.next_retry)}"
    return [
        name, waiting, duration(each.oldest_age) if each.queued_requests else "", retry, _items(each.sent),
        _counts(each.dropped, "bad"), letters, error,
    ]  # fmt: skip


def _receivers(section: Element, status: Status) -> None:
    rows = [_receiver(each, status.now) for each in status.receivers]
    _table(section, ("protocol", "received", "requests refused", "last refusal"), rows)


def _receiver(each: ReceiverStatus, now: float) -> list[_Cell]:
    protocol = Element("span")
    protocol.text = each.protocol
    for endpoint in each.endpoints:
        _add(protocol, "small", endpoint)
    last = f"{each.last_refusal}, {duration(now - each.last_refused)} ago" if each.last_refusal else ""
    return [protocol, _items(each.received), _counts(each.refused, "warn"), last]


def _evaluation(section: Element, evaluation: EvaluationStatus | None) -> None:
    if evaluation is None:
        _add(section, "p", "Nothing is judged: the traces pipeline does not name agent_eval")
        return
    held = ", ".join(f"{spans:,} for {lack}" for lack, spans in evaluation.held.items() if spans) or "none"
    workers = f"{evaluation.workers} {evaluation.worker} worker{'s' * (evaluation.workers != 1)}"
    how = f"Mode {evaluation.mode}; {workers}, runtime {evaluation.runtime}."
    _add(section, "p", f"{how} {evaluation.waiting:,} answers wait or are in work. Spans held: {held}.")
    if evaluation.forgotten:
        forgotten = ", ".join(f"{total:,} by {bound}" for bound, total in evaluation.forgotten.items())
        _add(section, "p", f"Forgotten early for want of room: {forgotten}.")
    rows = [_evaluator(each) for each in evaluation.evaluators]
    _table(section, ("evaluator", "scored", "skipped", "failed"), rows)


def _evaluator(each: EvaluatorStatus) -> list[_Cell]:
    name = Element("span")
    name.text = each.name
    _add(name, "small", each.version)
    return [name, _counts(each.labels), _counts(each.skipped), _counts({"": each.failed} if each.failed else {}, "bad")]


def _configuration(section: Element, status: Status) -> None:
    config = status.config
    text = f"{config.source or 'embedded'}, in effect since {clock(config.since)}"
    _add(section, "p", text + f" after {config.reloads} reload{'s' * (config.reloads != 1)}" * (config.reloads > 0))
    if config.digest:
        SubElement(_add(section, "p", "SHA-256 "), "code").text = config.digest
    if config.problem:
        when = f"The last reload, at {clock(config.last_failed)}, was refused: "
        SubElement(_add(section, "p", when, "bad"), "code").text = config.problem


def _section(body: Element, title: str) -> Element:
    section = SubElement(body, "section")
    SubElement(section, "h2").text = title
    return section


def _table(section: Element, header: Sequence[str], rows: Iterable[Sequence[_Cell]]) -> None:
    table = SubElement(SubElement(section, "div"), "table")
    row = SubElement(SubElement(table, "thead"), "tr")
    for name in header:
        SubElement(row, "th").text = name
    body = SubElement(table, "tbody")
    for cells in rows:
        row = SubElement(body, "tr")
        for label, cell in zip(header, cells, strict=True):
            column = SubElement(row, "td", {"data-label": label})  # on narrow screens each cell has its own heading
            if isinstance(cell, str):
                column.text = cell
            elif cell.text or len(cell):
                column.append(cell)


def _counts(counts: Counts, kind: str = "") -> Element:
    cell = Element("span", {"class": kind} if kind and counts else {})
    for name, count in counts.items():
        _add(cell, "div", f"{count:,} {name}".rstrip())
    return cell


def _items(counts: Counts) -> Element:
    return _counts({_ITEMS[Signal(signal)]: count for signal, count in counts.items()})


def _code(text: str) -> Element:
    code = Element("code")
    code.text = text
    return code


def _add(parent: Element, tag: str, text: str, kind: str = "") -> Element:
    attributes: Mapping[str, str] = {"class": kind} if kind else {}
    element = SubElement(parent, tag, dict(attributes))
    element.text = text
    return element


def _size(size: int) -> str:
    """Write bytes to three digits."""
    value, unit = float(size), "B"
    for unit in ("B", "KiB", "MiB", "GiB"):
        if value < 1000 or unit == "GiB":  # noqa: PLR2004 (three digits)
            break
        value /= 1024
    return f"{value:.3g} {unit}"


def duration(seconds: float) -> str:
    """Write seconds in two units at most: `340 ms`, `12 s`, `3 min 5 s`, `2 d 4 h`."""
    seconds = max(0.0, seconds)
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    whole = int(seconds)
    parts = [(whole // 86400, "d"), (whole // 3600 % 24, "h"), (whole // 60 % 60, "min"), (whole % 60, "s")]
    first = next(index for index, (count, _) in enumerate(parts) if count)
    return " ".join(f"{count} {unit}" for count, unit in parts[first : first + 2] if count)


def clock(moment: float) -> str:
    """Write a Unix time."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M:%S") if moment else "never"
