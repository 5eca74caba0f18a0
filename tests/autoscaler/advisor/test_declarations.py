"""What annotations declare: names are read, wrong ones left out, and no text is too long."""

from time import process_time

import pytest

from autoscaler import limits
from autoscaler.advisor.declarations import (
    EVERY_NAMESPACE,
    SHOWN,
    WRONG_NAMES,
    Declaration,
    Declared,
    downstream_namespaces,
    upstream_names,
)
from autoscaler.annotations import DOWNSTREAM_NAMESPACES, UPSTREAMS
from autoscaler.core.state.revision import Mode

CART = "shop/cart"


def test_an_annotation_names_upstreams_here_and_elsewhere() -> None:
    found = upstream_names(CART, ["browse, back/office"])
    assert (found.names, found.wrong, found.excess) == (("shop/browse", "back/office"), (), {})


def test_revisions_name_upstreams_together_each_once() -> None:
    found = upstream_names(CART, ["a,b", "", "b,shop/a,c"])
    assert found.names == ("shop/a", "shop/b", "shop/c")


@pytest.mark.parametrize(
    "word",
    ["", "Browse!", "a/b/c", "cart", CART, "/x", "x/", "-a", "a-", "ä", "*", "a" * 64, "a.b"],
)
def test_a_wrong_name_is_reported_once_and_the_others_count(word: str) -> None:
    found = upstream_names(CART, [f"{word},browse", f"{word},{word}"])
    assert found.names == ("shop/browse",)
    (wrong,) = found.wrong
    expected = f"{CART}: {UPSTREAMS} names {word[:SHOWN]!r}, which is left out; allowed: another"
    assert str(wrong).startswith(expected)


@pytest.mark.parametrize(
    ("prefix", "count"), [("", 16), (f"{'n' * 63}/", 8)], ids=["of its own namespace", "of others"]
)
def test_so_many_of_the_longest_names_that_kubernetes_allows_are_read(
    prefix: str, count: int
) -> None:
    words = [f"{prefix}{'s' * 61}{i:02d}" for i in range(count)]
    text = ",".join(words)
    assert limits.ANNOTATION_CHARS.most - len(text) < len(words[0])  # no more would fit
    assert upstream_names(CART, [text]).names == tuple(w if prefix else f"shop/{w}" for w in words)


def test_only_so_many_names_count_and_the_others_are_counted() -> None:
    found = upstream_names(CART, [",".join(f"s{i}" for i in range(40)), "s1,s99"])
    assert found.names == tuple(f"shop/s{i}" for i in range(32))
    assert found.excess == {"upstream_names": 9}


def test_nothing_of_a_text_that_is_too_long_counts() -> None:
    text = "browse," * 10_000
    found = upstream_names(CART, [text, "till"])
    assert (found.names, found.excess) == (("shop/till",), {"annotation_chars": 1})
    (wrong,) = found.wrong
    assert wrong.name == text[:SHOWN]


def test_of_many_wrong_names_a_few_are_reported() -> None:
    found = upstream_names(CART, [",".join(f"s{i}!" for i in range(50))])
    assert [wrong.name for wrong in found.wrong] == [f"s{i}!" for i in range(WRONG_NAMES)]


def test_words_take_places_right_or_wrong() -> None:
    found = upstream_names(CART, ["!," * 32 + "browse"])
    assert (found.names, found.excess) == ((), {"upstream_names": 1})


def test_texts_made_to_be_slow_are_read_in_time() -> None:
    begun_s = process_time()
    for text in ("a-" * 4_000, "-" * 8_000, "/" * 8_000, "," * 8_000, " " * 8_000):
        for _ in range(100):
            upstream_names(CART, [text])
            downstream_namespaces(CART, [text])
    assert process_time() - begun_s < 3.0


def test_a_service_consents_to_namespaces_or_to_all() -> None:
    declared = Declared(
        {
            "shop/gate": [Declaration(downstream_namespaces="back, pay")],
            "shop/front": [Declaration(), Declaration(downstream_namespaces="*")],
            "shop/cart": [Declaration()],
        }
    )
    asked = [
        declared.consent(service, namespace)
        for service in ("shop/gate", "shop/front", "shop/cart", "shop/nobody")
        for namespace in ("back", "other")
    ]
    assert asked == [True, False, True, True, False, False, False, False]


@pytest.mark.parametrize("word", ["", "Back!", "a/b", "**", "a*", "a" * 64])
def test_a_wrong_namespace_is_reported_and_the_others_count(word: str) -> None:
    found = downstream_namespaces(CART, [f"{word}, back"])
    assert found.names == ("back",)
    (wrong,) = found.wrong
    assert str(wrong) == (
        f"{CART}: {DOWNSTREAM_NAMESPACES} names {word[:SHOWN]!r}, which is left out; "
        "allowed: namespaces with commas between, or *"
    )


def test_only_so_many_namespaces_are_consented_to_by_name() -> None:
    text = ",".join(f"n{i}" for i in range(70))
    found = downstream_namespaces(CART, [text])
    assert (len(found.names), found.excess) == (64, {"consent_names": 6})
    assert downstream_namespaces(CART, ["*"]).names == (EVERY_NAMESPACE,)


def test_a_service_is_off_where_all_of_its_revisions_are() -> None:
    off, shadow = Declaration(mode=Mode.OFF), Declaration(mode=Mode.SHADOW)
    declared = Declared({"s/a": [off, off], "s/b": [off, shadow], "s/c": [shadow], "s/d": []})
    assert (declared.off, declared.present) == ({"s/a"}, {"s/a", "s/b", "s/c"})


def test_limits_that_bite_and_wrong_names_are_kept_of_all_services() -> None:
    long = Declaration(upstreams="x" * 9_000, downstream_namespaces="!")
    declared = Declared({"s/a": [long], "s/b": [long]})
    assert declared.excess == {"annotation_chars": 2}
    assert [(w.service, w.annotation) for w in declared.wrong_names] == [
        ("s/a", UPSTREAMS),
        ("s/a", DOWNSTREAM_NAMESPACES),
        ("s/b", UPSTREAMS),
        ("s/b", DOWNSTREAM_NAMESPACES),
    ]
