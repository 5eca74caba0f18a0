import pytest

from knative.statistics.scraping.outage import OUTAGE_S, Outage


def test_an_outage_is_a_fault_once_it_has_lasted() -> None:
    outage = Outage()
    outage.failed("shop/cart", 100.0)
    outage.failed("shop/till", 100.0 + OUTAGE_S - 0.1)
    assert outage.fault == ""
    outage.failed("shop/cart", 100.0 + OUTAGE_S)
    assert "no pod of any revision answers, shop/cart among them" in outage.fault


def test_an_answer_ends_an_outage() -> None:
    outage = Outage()
    for now in (0.0, OUTAGE_S):
        outage.failed("shop/cart", now)
    outage.succeeded()
    assert outage.fault == ""
    outage.failed("shop/cart", 2 * OUTAGE_S)
    assert outage.fault == ""


@pytest.mark.parametrize("every", [1, 4])
def test_one_pod_that_answers_now_and_then_is_no_outage(every: int) -> None:
    outage, faults = Outage(), set[str]()
    for second in range(60):
        if second % every == 0:
            outage.succeeded()
        outage.failed("shop/cart", float(second))
        faults.add(outage.fault)
    assert faults == {""}
