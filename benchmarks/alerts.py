"""False alarms and time to detect: the alert rules beside plain ratios, on simulated answers.

    python benchmarks/alerts.py [--months 40] [--out alerts.json]

Answers come by day and night, and fewer at the weekend; each is bad or not, and is flagged as the evaluator's measured
errors have it (otel_agent_eval/alerts/error_rates.yaml). The formulas are those of the PromQL, in numpy; a test holds
the two together. An alarm is an episode: what follows within a quarter of an hour belongs to it.
"""

import argparse
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from otel_agent_eval.alerts.error_rates import ErrorRates, error_rates, quantile
from otel_agent_eval.alerts.error_rates import wilson as scalar_wilson
from otel_agent_eval.alerts.recording import MIN_EXPECTED
from otel_agent_eval.config.alerts import Alerts, ErrorCounts

Floats = npt.NDArray[np.float64]
SETTINGS = Alerts()
Z = quantile(SETTINGS.significance)
STEPS_A_DAY = 96
WARM_UP, DAYS = 7, 30
ANSWERS_A_DAY = (10, 1_000, 100_000)
SEGMENTS = 5
HEALTHY = 0.02
SEVERE = (0, 6502)
"""Benign answers that built-in toxicity 3 scores 0.8 or more (benchmarks/error_rates.py --severe 0.8), and how many."""
GOOD_DETECTOR = ErrorRates(ErrorCounts(bad=1000, bad_flagged=900, good=10_000, good_flagged=300))
ON_OTHER_ANSWERS = ErrorRates(ErrorCounts(bad=234, bad_flagged=186, good=115, good_flagged=48))
"""What built-in faithfulness 2 does on WiCE (docs/quality.md): it flags good answers oftener than the rules expect."""


@dataclass(frozen=True)
class Detector:
    """How an evaluator errs on the answers at hand, and what the rules were told of it."""

    errs: ErrorRates
    known: ErrorRates


@dataclass(frozen=True)
class Line:
    """One row of a table: how often a rule was wrong in a month, or how many days it took to be right."""

    subject: str
    rule: str
    answers_a_day: int
    value: float | None
    firing: float | None = None
    """The share of the time in which it fires though nothing is wrong: of the month, or the week before the change."""


def wilson(share: Floats, total: Floats, side: int) -> Floats:
    """One end of Wilson's interval, lower for -1 and upper for 1; NaN where there are too few answers."""
    with np.errstate(divide="ignore", invalid="ignore"):
        spread = np.sqrt(np.maximum(share * (1 - share), 0) / total + Z * Z / 4 / total**2)
        bound = (share + Z * Z / 2 / total + side * Z * spread) / (1 + Z * Z / total)
    return np.where(total >= SETTINGS.min_answers, bound, np.nan)


def corrected(flagged: Floats, rates: ErrorRates) -> Floats:
    """The lowest true rate that agrees with a flagged one."""
    sensitivity, false_positives = rates.highest
    return np.clip((flagged - false_positives) / (sensitivity - false_positives), 0, 1)


def chi_squared(hits: Floats, total: Floats, rest_hits: Floats, rest: Floats) -> Floats:
    """The test of two shares; NaN for cells that are too small."""
    with np.errstate(divide="ignore", invalid="ignore"):
        pooled = (hits + rest_hits) / (total + rest)
        found = (hits / total - rest_hits / rest) ** 2 / (pooled * (1 - pooled) * (1 / total + 1 / rest))
    least = SETTINGS.min_answers
    enough = (total >= least) & (rest >= least) & (pooled * total >= MIN_EXPECTED) & (pooled * rest >= MIN_EXPECTED)
    return np.where(enough, found, np.nan)


def arrivals(rng: np.random.Generator, a_day: float, months: int, days: int) -> npt.NDArray[np.int64]:
    """Answers in each quarter of an hour: fewer at night, a third at the weekend."""
    step = np.arange(days * STEPS_A_DAY)
    hour, day = step % STEPS_A_DAY / 4, step // STEPS_A_DAY
    profile = (1 + 0.9 * np.sin((hour - 9) / 24 * 2 * np.pi)) * np.where(day % 7 >= 5, 1 / 3, 1.0)
    return rng.poisson(a_day * profile / profile.mean() / STEPS_A_DAY, (months, len(step)))


def over(values: npt.NDArray[np.int64], seconds: float) -> Floats:
    """Sums over a window that ends with each step."""
    width = max(1, round(seconds / 900))
    total = np.cumsum(values, axis=-1, dtype=np.float64)
    total[..., width:] -= total[..., :-width].copy()
    return total


def earlier(values: Floats, seconds: float) -> Floats:
    """What was there so long before each step; NaN before the beginning."""
    steps = round(seconds / 900)
    return np.concatenate([np.full((len(values), steps), np.nan), values[:, :-steps]], axis=1)


def episodes(fires: npt.NDArray[np.bool_]) -> float:
    """Alarms a month: times at which a rule begins to fire after the warm-up, and has not for more than a step."""
    fires = fires[:, WARM_UP * STEPS_A_DAY :]
    before = np.pad(fires, ((0, 0), (2, 0)))
    starts = fires & ~before[:, 1:-1] & ~before[:, :-2]
    return float(starts.sum(axis=1).mean() * 30 / (fires.shape[1] / STEPS_A_DAY))


def false(subject: str, a_day: int, rules: Mapping[str, npt.NDArray[np.bool_]]) -> list[Line]:
    """Count the alarms of rules where nothing is wrong, and for how much of the time they are on."""
    return [
        Line(subject, rule, a_day, episodes(fires), float(fires[:, WARM_UP * STEPS_A_DAY :].mean()))
        for rule, fires in rules.items()
    ]


def right(subject: str, a_day: int, rules: Mapping[str, npt.NDArray[np.bool_]]) -> list[Line]:
    """Take the time to the alarm of rules after a change, and for how much of the week before they were on."""
    week = slice(STEPS_A_DAY, WARM_UP * STEPS_A_DAY)  # after a day, when the windows have filled
    return [
        Line(subject, rule, a_day, days_until(fires), float(fires[:, week].mean())) for rule, fires in rules.items()
    ]


def days_until(fires: npt.NDArray[np.bool_]) -> float | None:
    """Median of the days from the end of the warm-up to the first alarm; None where most never come."""
    after = fires[:, WARM_UP * STEPS_A_DAY :]
    first = np.where(after.any(axis=1), (after.argmax(axis=1) + 1) / STEPS_A_DAY, np.inf)
    median = float(np.median(first))
    return median if np.isfinite(median) else None


def any_window(fires: Callable[[float], npt.NDArray[np.bool_]], windows: tuple[float, ...]) -> npt.NDArray[np.bool_]:
    """Where a rule fires over any window."""
    return np.logical_or.reduce([fires(window) for window in windows])


def hallucination(
    rng: np.random.Generator, a_day: float, months: int, detector: Detector, true: Callable[[Floats], Floats]
) -> Mapping[str, npt.NDArray[np.bool_]]:
    """The hallucination alerts, and the plain rules that people write instead; `true` gives the rate at each day."""
    answers = arrivals(rng, a_day, months, WARM_UP + DAYS)
    bad = true(np.arange(answers.shape[1]) / STEPS_A_DAY - WARM_UP)
    errs, known = detector.errs, detector.known
    flagged = rng.binomial(answers, bad * errs.sensitivity + (1 - bad) * errs.false_positives)
    limit, longest = SETTINGS.hallucination_rate, SETTINGS.windows[-1]
    past = wilson(_share(over(flagged, longest), over(answers, longest)), over(answers, longest), 1)

    def lowest(window: float) -> Floats:
        total = over(answers, window)
        return wilson(_share(over(flagged, window), total), total, -1)

    def rate(window: float) -> npt.NDArray[np.bool_]:
        return corrected(lowest(window), known) > limit

    def rise(window: float) -> npt.NDArray[np.bool_]:
        higher = (lowest(window) - earlier(past, window)) / (known.sensitivity - known.false_positives)
        return higher > SETTINGS.hallucination_rise

    def plain(window: float) -> npt.NDArray[np.bool_]:
        return _share(over(flagged, window), over(answers, window)) > limit

    return {
        "rendered, rate": any_window(rate, SETTINGS.windows),
        "rendered, rise": any_window(rise, SETTINGS.windows),
        "ratio over 1 h": plain(3600),
        "ratio over 1 d": plain(86_400),
    }


def bias(
    rng: np.random.Generator, a_day: float, months: int, worse: float = 0.0
) -> Mapping[str, npt.NDArray[np.bool_]]:
    """The bias alert over segments of equal size, of which the first fails more often by `worse`; 10 % fail anyhow."""
    days = WARM_UP + DAYS
    answers = np.stack([arrivals(rng, a_day / SEGMENTS, months, days) for _ in range(SEGMENTS)])
    share = np.full((SEGMENTS, 1, answers.shape[-1]), 0.1)
    share[0, :, WARM_UP * STEPS_A_DAY :] += worse
    flagged = rng.binomial(answers, share)

    def ours(window: float) -> npt.NDArray[np.bool_]:
        total, hits = over(answers, window), over(flagged, window)
        rest, rest_hits = total.sum(axis=0) - total, hits.sum(axis=0) - hits
        found = chi_squared(hits, total, rest_hits, rest)
        tested = np.maximum((~np.isnan(found)).sum(axis=0), 1)
        apart = _share(hits, total) - _share(rest_hits, rest) >= SETTINGS.bias_difference
        return (apart & (found > 2 * np.log(tested / SETTINGS.significance))).any(axis=0)

    def plain(window: float) -> npt.NDArray[np.bool_]:
        total, hits = over(answers, window), over(flagged, window)
        rest, rest_hits = total.sum(axis=0) - total, hits.sum(axis=0) - hits
        return (_share(hits, total) - _share(rest_hits, rest) >= SETTINGS.bias_difference).any(axis=0)

    return {"rendered": any_window(ours, SETTINGS.windows[1:]), "difference over 1 d": plain(86_400)}


def relevance(
    rng: np.random.Generator, a_day: float, months: int, mean: float, later: float
) -> Mapping[str, npt.NDArray[np.bool_]]:
    """The alert on the average relevance, of scores that are 0.05 or 0.95: the widest spread that there is."""
    answers = arrivals(rng, a_day, months, WARM_UP + DAYS)
    level = np.where(np.arange(answers.shape[1]) < WARM_UP * STEPS_A_DAY, mean, later)
    high = rng.binomial(answers, (level - 0.05) / 0.9)

    def average(window: float) -> Floats:
        total = over(answers, window)
        return 0.05 + 0.9 * _share(over(high, window), total)

    def ours(window: float) -> npt.NDArray[np.bool_]:
        return wilson(average(window), over(answers, window), 1) < SETTINGS.relevance_mean

    return {
        "rendered": any_window(ours, SETTINGS.windows),
        "mean over 1 h": average(3600) < SETTINGS.relevance_mean,
        "mean over 1 d": average(86_400) < SETTINGS.relevance_mean,
    }


def errors(rng: np.random.Generator, a_day: float, months: int, later: float) -> Mapping[str, npt.NDArray[np.bool_]]:
    """The alert on failed evaluations, of which 0.5 % are usual."""
    answers = arrivals(rng, a_day, months, WARM_UP + DAYS)
    usual = 0.005
    level = np.where(np.arange(answers.shape[1]) < WARM_UP * STEPS_A_DAY, usual, later)
    failed = rng.binomial(answers, level)
    longest = SETTINGS.windows[-1]
    past = wilson(_share(over(failed, longest), over(answers, longest)), over(answers, longest), 1)

    def ours(window: float) -> npt.NDArray[np.bool_]:
        total = over(answers, window)
        now = wilson(_share(over(failed, window), total), total, -1)
        return (now > SETTINGS.error_rate) & ~(now <= 2 * earlier(past, window))

    plain = _share(over(failed, 3600), over(answers, 3600)) > SETTINGS.error_rate
    return {"rendered": any_window(ours, SETTINGS.windows), "share over 1 h": plain}


def toxicity(
    rng: np.random.Generator, a_day: float, months: int, rates: ErrorRates
) -> Mapping[str, npt.NDArray[np.bool_]]:
    """Alerts on single answers when none is toxic: those past the paging threshold, and all that are flagged."""
    answers = arrivals(rng, a_day, months, WARM_UP + DAYS)
    severe = rng.binomial(answers, SEVERE[0] / SEVERE[1])
    worst = rng.binomial(answers, scalar_wilson(*SEVERE, quantile(0.05))[1])
    flagged = rng.binomial(answers, rates.false_positives)
    return {
        "rendered, pages": over(severe, SETTINGS.hold) > 0,
        "rendered, pages, at worst": over(worst, SETTINGS.hold) > 0,
        "rendered, next day": over(flagged, SETTINGS.hold) > 0,
    }


def _share(hits: Floats, total: Floats) -> Floats:
    with np.errstate(divide="ignore", invalid="ignore"):
        return hits / total


def measure(months: int) -> dict[str, list[Line]]:
    """Play all cases: healthy months, and months that become bad after a healthy week."""
    rng = np.random.default_rng(20_240_607)
    known = error_rates(SETTINGS)
    false_alarms, delays = [], []
    built_in = _newest(known, "faithfulness")
    detectors = {
        "built-in": Detector(built_in, built_in),
        "built-in, other answers": Detector(ON_OTHER_ANSWERS, built_in),
        "good (90 %, 3 %)": Detector(GOOD_DETECTOR, GOOD_DETECTOR),
    }
    for a_day in ANSWERS_A_DAY:
        for name, detector in detectors.items():
            healthy = hallucination(rng, a_day, months, detector, lambda day: np.full_like(day, HEALTHY))
            subject = f"hallucination, {HEALTHY:.0%} true, detector: {name}"
            false_alarms += false(subject, a_day, healthy)
            for bad in (0.08, 0.15, 0.3):
                shift = hallucination(
                    rng, a_day, months, detector, lambda day, bad=bad: np.where(day < 0, HEALTHY, bad)
                )
                subject = f"hallucination {HEALTHY:.0%} to {bad:.0%}, detector: {name}"
                delays += right(subject, a_day, shift)
        toxic = toxicity(rng, a_day, months, _newest(known, "toxicity"))
        false_alarms += false("toxicity, none toxic", a_day, toxic)
        calm = relevance(rng, a_day, months, 0.6, 0.6)
        false_alarms += false("relevance, mean 0.6", a_day, calm)
        delays += right("relevance 0.6 to 0.4", a_day, relevance(rng, a_day, months, 0.6, 0.4))
        same = bias(rng, a_day, months)
        false_alarms += false("bias, 5 equal groups", a_day, same)
        delays += right("bias, one group of 5 by 15 points", a_day, bias(rng, a_day, months, 0.15))
        usual = errors(rng, a_day, months, 0.005)
        false_alarms += false("errors, 0.5 % usual", a_day, usual)
        delays += right("errors 0.5 % to 10 %", a_day, errors(rng, a_day, months, 0.1))
    return {
        "false alarms a month, and time on": false_alarms,
        "days until the alarm, and on in the week before": delays,
    }


def _newest(known: Mapping[str, ErrorRates], name: str) -> ErrorRates:
    versions = [version for version in known if version.startswith(f"builtin/{name}@")]
    return known[max(versions, key=lambda version: int(version.partition("@")[2]))]


def main() -> None:
    """Parse options, simulate, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--months", type=int, default=40, help="simulated months of each case")
    parser.add_argument("--out", type=Path, help="write everything as JSON")
    options = parser.parse_args()
    results = measure(options.months)
    for title, lines in results.items():
        _show(title, lines)
    if options.out:
        found = {title: [asdict(line) for line in lines] for title, lines in results.items()}
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps({"months": options.months, **found}, indent=1) + "\n")


def _show(title: str, lines: list[Line]) -> None:
    table = Table("", "rule", *(f"{number:,} a day" for number in ANSWERS_A_DAY), title=title)
    rows: dict[tuple[str, str], list[str]] = {}
    for line in lines:
        on = "" if line.firing is None else f" ({line.firing:.0%})"
        rows.setdefault((line.subject, line.rule), []).append(
            "never" if line.value is None else f"{line.value:.2f}{on}"
        )
    for (subject, rule), values in rows.items():
        table.add_row(subject, rule, *values)
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
