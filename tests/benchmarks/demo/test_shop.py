"""The demo's shop is learned and replayed up to nine o'clock of the present day."""

import numpy as np

from benchmarks.demo.shop import DAY_S, LIVE_DAYS, shop_of

EVENING_S = 1_772_485_200.0  # 2026-03-02T21:00:00Z


def test_it_goes_live_at_nine_of_the_same_day() -> None:
    shop = shop_of(EVENING_S)
    assert shop.live_from_s == EVENING_S - 12 * 3600
    past_end_s = shop.past.start_s + shop.past.counts.shape[1] * shop.past.step_s
    assert past_end_s == shop.live_from_s == shop.settings.fit_until_s + 2 * DAY_S
    assert shop.whole.counts.shape[1] - shop.past.counts.shape[1] == LIVE_DAYS * 1440


def test_it_is_called_the_same_whatever_the_day() -> None:
    np.testing.assert_array_equal(
        shop_of(EVENING_S).whole.counts, shop_of(EVENING_S + 3 * DAY_S).whole.counts
    )
