import pytest

from knative.statistics.scraping.silence import SILENT_S, Silence


def test_silence_is_told_of_once_it_has_lasted() -> None:
    silence = Silence()
    silence.missed("shop/cart", 100.0)
    silence.missed("shop/till", 100.0 + SILENT_S - 0.1)
    assert silence.fault == ""
    silence.missed("shop/cart", 100.0 + SILENT_S)
    assert "no pod of any revision answers, shop/cart among them" in silence.fault


def test_an_answer_ends_it_and_it_has_to_last_anew() -> None:
    silence = Silence()
    for now in (0.0, SILENT_S):
        silence.missed("shop/cart", now)
    silence.heard()
    assert silence.fault == ""
    silence.missed("shop/cart", 2 * SILENT_S)
    assert silence.fault == ""


@pytest.mark.parametrize("every", [1, 4])
def test_one_pod_that_answers_now_and_then_is_no_silence(every: int) -> None:
    silence, faults = Silence(), set[str]()
    for second in range(60):
        if second % every == 0:
            silence.heard()
        silence.missed("shop/cart", float(second))
        faults.add(silence.fault)
    assert faults == {""}
