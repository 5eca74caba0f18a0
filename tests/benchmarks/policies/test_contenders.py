"""The registry knows ours, the rivals, and those that the user names."""

from importlib.metadata import EntryPoint

import pytest

from autoscaler.errors import PermanentError
from benchmarks.policies import contenders as registry
from benchmarks.policies.contenders import GROUP, ORACLE, OURS, contender, contenders
from benchmarks.policies.keep_alive import KeepAlive


def test_ours_is_first_and_only_bounds_have_hindsight() -> None:
    found = contenders()
    assert next(iter(found)) == OURS
    assert all(name == each.name for name, each in found.items())
    assert ORACLE in {name for name, each in found.items() if each.hindsight}
    assert not {"KPA", "keep-alive", OURS} & {n for n, each in found.items() if each.hindsight}


def test_a_class_and_an_object_are_both_contenders() -> None:
    made = contender("benchmarks.policies.keep_alive:KeepAlive")
    assert isinstance(made, KeepAlive)
    assert contender("tests.benchmarks.policies.test_contenders:MADE") is MADE


MADE = KeepAlive()
NONE_AT_ALL = object()


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("", "Empty module name"),
        ("no_such_package:It", "No module named 'no_such_package'"),
        ("benchmarks.policies.keep_alive:Nothing", "no attribute 'Nothing'"),
        ("benchmarks.policies.keep_alive", "no attribute ''"),
        ("tests.benchmarks.policies.test_contenders:NONE_AT_ALL", "has no name, knob, hindsight"),
    ],
)
def test_what_is_no_contender_is_refused(where: str, expected: str) -> None:
    with pytest.raises(PermanentError, match=expected):
        contender(where)


@pytest.fixture(autouse=True)
def declared(monkeypatch: pytest.MonkeyPatch) -> list[EntryPoint]:
    """Entry points of packages that are not there: none at first."""
    points: list[EntryPoint] = []
    monkeypatch.setattr(registry, "entry_points", lambda *, group: points)
    return points


def test_installed_plug_ins_come_along(declared: list[EntryPoint]) -> None:
    where = "tests.benchmarks.policies.plug_in:Peeking"
    declared.append(EntryPoint(name="mine", value=where, group=GROUP))
    assert list(contenders())[-1] == "peeking"


def test_a_plug_in_takes_no_other_s_name(declared: list[EntryPoint]) -> None:
    where = "benchmarks.policies.kpa:Kpa"
    declared.append(EntryPoint(name="mine", value=where, group=GROUP))
    with pytest.raises(PermanentError, match="'KPA', as another is"):
        contenders()
