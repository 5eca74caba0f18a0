"""The table of limits."""

import re
from pathlib import Path

import pytest

import autoscaler
from autoscaler import limits
from autoscaler.limits import Limit

TABLE = {name: it for name, it in vars(limits).items() if isinstance(it, Limit)}
ROOT = Path(autoscaler.__file__).parents[1]
SOURCES = {
    path: path.read_text()
    for room in ("autoscaler", "knative", "learner", "benchmarks")
    for path in (ROOT / room).rglob("*.py")
    if path.name != "limits.py"
}


def test_a_limit_is_known_by_one_name() -> None:
    assert len({it.name for it in TABLE.values()}) == len(TABLE)


@pytest.mark.parametrize("name", TABLE)
def test_a_limit_says_of_what_and_why_so_much(name: str) -> None:
    it = TABLE[name]
    assert re.fullmatch("[a-z][a-z0-9_]*", it.name)  # as a label's value
    assert it.most >= 0
    assert it.unit
    assert it.why


def test_every_limit_stands_in_the_table_and_bounds_something() -> None:
    assert [path for path, text in SOURCES.items() if re.search(r"\bLimit\(", text)] == []
    used = " ".join(SOURCES.values())
    assert [name for name in TABLE if not re.search(rf"\b{name}\b", used)] == []


@pytest.mark.parametrize(
    ("most", "said"), [(2_097_152, "2,097,152 bytes"), (0.5, "0.5 bytes"), (2.0**53, "9.00")]
)
def test_a_limit_reads_well(most: float, said: str) -> None:
    assert str(Limit("name", most, "bytes", "why")).startswith(said)
