"""Numbers as people read them."""

import pytest

from autoscaler.api.words import percent


@pytest.mark.parametrize(
    ("value", "said"), [(1.0, "100 %"), (0.9999, "99.9 %"), (0.29, "29 %"), (0.0, "0 %")]
)
def test_what_is_nearly_sure_is_not_called_sure(value: float, said: str) -> None:
    assert percent(value) == said
