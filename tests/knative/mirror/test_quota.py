import gc
import weakref

from autoscaler.limits import Limit
from knative.mirror.quota import Quota, in_all, of_namespace

THREE = Limit("all", 3, "objects", "for tests")
TWO = Limit("each", 2, "objects of a namespace", "for tests")


def a_quota(*keys: str) -> Quota[int]:
    quota: Quota[int] = Quota((THREE, in_all), (TWO, of_namespace))
    for key in keys:
        assert quota.limit_for(key, 1, None) is None
        quota.add(key, 1)
    return quota


def test_the_limit_that_bites_is_named() -> None:
    quota = a_quota("shop/a", "shop/b")
    assert quota.limit_for("shop/c", 1, None) is TWO
    quota.add("bank/a", 1)
    assert quota.limit_for("bank/b", 1, None) is THREE


def test_what_is_kept_already_has_its_place() -> None:
    assert a_quota("shop/a", "shop/b", "bank/a").limit_for("shop/a", 2, 1) is None


def test_what_goes_leaves_its_place() -> None:
    quota = a_quota("shop/a", "shop/b")
    quota.drop("shop/a", 1)
    assert quota.limit_for("shop/c", 1, None) is None


def test_what_moves_to_another_group_needs_a_place_there() -> None:
    quota: Quota[str] = Quota((Limit("revision_pods", 1, "pods", ""), lambda _, kept: kept))
    quota.add("shop/pod-1", "cart")
    quota.add("shop/pod-2", "till")
    assert quota.limit_for("shop/pod-2", "cart", "till")
    assert quota.limit_for("shop/pod-2", "shelf", "till") is None


def test_a_group_without_objects_takes_no_memory() -> None:
    class Group(str):
        """May be referred to weakly, unlike str."""

    groups: list[weakref.ref[Group]] = []

    def group_of(key: str, _: int) -> str:
        group = Group(key.partition("/")[0])
        groups.append(weakref.ref(group))
        return group

    quota: Quota[int] = Quota((TWO, group_of))
    quota.add("shop/a", 1)
    gc.collect()
    assert groups[0]()
    quota.drop("shop/a", 1)
    gc.collect()
    assert not any(group() for group in groups)
