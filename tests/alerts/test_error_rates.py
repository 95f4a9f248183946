import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from otel_agent_eval.alerts.error_rates import ErrorRates, error_rates, quantile, wilson
from otel_agent_eval.config.alerts import Alerts, ErrorCounts

counts = st.integers(1, 100_000)


def rates(bad: int, bad_flagged: int, good: int, good_flagged: int) -> ErrorRates:
    return ErrorRates(ErrorCounts(bad=bad, bad_flagged=bad_flagged, good=good, good_flagged=good_flagged))


def test_wilson_is_the_interval_of_the_textbook() -> None:
    """Newcombe 1998: 81 of 263 at 95 % is 0.2553 to 0.3662."""
    assert wilson(81, 263, quantile(0.025)) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(0, 20, quantile(0.025)) == pytest.approx((0, 0.1611), abs=5e-5)


@given(counts, st.floats(0, 1), st.floats(0.5, 6))
def test_wilson_holds_the_share_and_stays_in_range(total: int, share: float, z: float) -> None:
    low, high = wilson(share * total, total, z)
    assert 0 <= low <= share + 1e-9
    assert share - 1e-9 <= high <= 1


@given(counts, counts, st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_correction_undoes_what_a_detector_does(
    bad: int, good: int, sensitivity: float, wrong: float, true: float
) -> None:
    bad_flagged, good_flagged = int(bad * sensitivity), int(good * wrong)
    assume(bad_flagged / bad > good_flagged / good + 0.01)
    detector = rates(bad, bad_flagged, good, good_flagged)
    flagged = true * detector.sensitivity + (1 - true) * detector.false_positives
    assert detector.corrected(flagged) == pytest.approx(true, abs=1e-6)
    assert 0 <= detector.at_least(flagged) <= 1


def test_no_rate_below_the_detectable_one_can_be_certain_and_labels_lower_it() -> None:
    few, many = rates(100, 90, 100, 5), rates(10_000, 9000, 10_000, 500)
    assert few.at_least(0.05 + 0.85 * few.detectable(0.05)) == pytest.approx(0.05)
    assert 0.05 < many.detectable(0.05) < 0.06 < few.detectable(0.05)


def test_a_configured_measurement_takes_the_place_of_the_shipped_one() -> None:
    shipped = error_rates(Alerts())
    version = "builtin/faithfulness@2"
    mine = ErrorCounts(bad=50, bad_flagged=45, good=400, good_flagged=8)
    chosen = error_rates(Alerts(error_rates={version: mine}))
    assert shipped[version].counts != mine
    assert chosen[version].counts == mine
    assert chosen.keys() == shipped.keys()
