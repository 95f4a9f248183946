"""The soak's figure for the slope of memory says what it claims to."""

import random
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[2] / "benchmarks"))

from soak import slope


def test_slope_of_a_line_is_found_exactly() -> None:
    found = slope([(x / 100, 200 + 3 * x / 100) for x in range(500)])
    assert abs(found.value - 3) < 1e-9
    assert found.half_width < 1e-6


def test_interval_holds_the_true_slope_about_as_often_as_it_says() -> None:
    rng = random.Random(1)  # noqa: S311 (repeatable, not secret)
    held = 0
    for _ in range(200):
        found = slope([(x / 100, 200 + 0.5 * x / 100 + rng.gauss(0, 2)) for x in range(400)])
        held += abs(found.value - 0.5) < found.half_width
    assert 180 <= held <= 198
