"""Shares of counted samples as counts with their exact intervals."""

import math

import pytest
from tissuestate.report.shares import count_hits, exact_interval, share_text


def test_all_right_is_written_with_what_its_number_of_samples_leaves_open():
    assert exact_interval(4, 4) == pytest.approx((0.025**0.25, 1.0))
    assert share_text(13, 13) == "13 of 13 (75–100 %)"
    assert share_text(225, 230) == "225 of 230 (95–99 %)"
    assert share_text(1516, 1518) == "1,516 of 1,518 (99.5–100.0 %)"
    assert share_text(0, 0) == "none"


def test_counts_come_back_from_shares():
    shares = [(hits / 230, 230) for hits in range(231)]
    assert [count_hits(*share) for share in shares] == list(range(231))
    assert count_hits(math.nan, 0) == 0
