import pytest

from knative.startup import StartUps


def test_before_the_first_start_a_guess_stands() -> None:
    assert StartUps().lead_s("shop/cart") == 10.0


def test_asking_measures_nothing() -> None:
    start_ups = StartUps()
    start_ups.lead_s("shop/cart")
    start_ups.add("shop/cart", 3.0)
    assert start_ups.lead_s("shop/cart") == 4.0


def test_ahead_of_nine_starts_in_ten_and_of_a_second_that_was_cut_off() -> None:
    start_ups = StartUps()
    for seconds in range(1, 12):
        start_ups.add("shop/cart", float(seconds))
    assert start_ups.lead_s("shop/cart") == pytest.approx(11.0)


def test_the_last_fifty_count() -> None:
    start_ups = StartUps()
    for seconds in [100.0] * 50 + [2.0] * 50:
        start_ups.add("shop/cart", seconds)
    assert start_ups.lead_s("shop/cart") == 3.0


def test_services_do_not_mix() -> None:
    start_ups = StartUps()
    start_ups.add("shop/cart", 2.0)
    start_ups.add("shop/till", 30.0)
    assert start_ups.lead_s("shop/cart") == 3.0


@pytest.mark.parametrize("absurd", [-1.0, 3600.0, 1e9, float("nan")])
def test_what_cannot_be_a_start_is_left_out(absurd: float) -> None:
    start_ups = StartUps()
    start_ups.add("shop/cart", absurd)
    assert start_ups.lead_s("shop/cart") == 10.0
