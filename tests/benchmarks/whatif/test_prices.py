from pathlib import Path

import numpy as np
import pytest

from autoscaler.errors import PermanentError
from benchmarks.whatif.prices import Prices, read_prices

GOOD = 'cpu_hour = 0.04\ngib_hour = 0.005\ncurrency = "EUR"\n'


def test_a_pod_costs_what_it_requests(tmp_path: Path) -> None:
    file = tmp_path / "prices.toml"
    file.write_text(GOOD)
    prices = read_prices(file)
    assert prices == Prices(cpu_hour=0.04, gib_hour=0.005, currency="EUR")
    hour = prices.pod_hour(np.array([2.0, 0.0, np.nan]), np.array([4.0, 0.0, np.nan]))
    np.testing.assert_allclose(hour, [0.1, 0.0, np.nan])


@pytest.mark.parametrize(
    ("text", "part"),
    [
        (None, "cannot be read: No such file or directory"),
        ("cpu_hour = ", "is no TOML: "),
        ("\x00", "is no TOML: "),
        (GOOD.replace("0.04", '"0.04"'), "cpu_hour is '0.04'; allowed: a number >= 0"),
        (GOOD.replace("0.04", "-1"), "cpu_hour is -1; allowed: a number >= 0"),
        (GOOD.replace("0.04", "nan"), "cpu_hour is nan; allowed: a number >= 0"),
        (GOOD.replace("0.04", "true"), "cpu_hour is True; allowed: a number >= 0"),
        ('cpu_hour = 1\ncurrency = "EUR"', "gib_hour is missing; allowed: a number >= 0"),
        ("cpu_hour = 1\ngib_hour = 1", "currency is ''; allowed: such as"),
        (GOOD.replace("EUR", "E" * 9), "currency is 'EEEEEEEEE'; allowed: such as"),
        (GOOD + "gpu_hour = 1", "has 'gpu_hour'; allowed: cpu_hour, gib_hour, currency"),
        (GOOD + "#" * 2**16, "larger than 65536 bytes"),
    ],
)
def test_a_bad_file_is_one_line(tmp_path: Path, text: str | None, part: str) -> None:
    file = tmp_path / "prices.toml"
    if text is not None:
        file.write_text(text)
    with pytest.raises(PermanentError) as refused:
        read_prices(file)
    said = str(refused.value)
    assert str(file) in said
    assert part in said
    assert "\n" not in said
