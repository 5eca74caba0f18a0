import json
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from knative.client.outline import LONGEST_STRING, Outline

LEVELS = 2
TEXTS = st.one_of(
    st.text(max_size=20),
    st.text(alphabet='"\\{}[]:,', max_size=20),
    st.integers(LONGEST_STRING - 3, LONGEST_STRING + 3).map("x".__mul__),
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXTS, inner, max_size=4)),
    max_leaves=20,
)


def outlined(value: Any, level: int = 0) -> Any:
    """The outline, made the simple way."""
    if isinstance(value, str):
        # As it stands in JSON, without its quotes.
        return "" if len(json.dumps(value)) - 2 > LONGEST_STRING else value
    if isinstance(value, list):
        return [outlined(v, level + 1) for v in value] if level < LEVELS else []
    if isinstance(value, dict):
        within = level < LEVELS
        return {outlined(k): outlined(v, level + 1) for k, v in value.items()} if within else {}
    return value


@settings(deadline=None)
@example(value={"a": ["\\", {"b": "]}"}]}, cuts=[1] * 40)
@given(value=VALUES, cuts=st.lists(st.integers(1, 9), max_size=40))
def test_the_outline_is_what_is_left_of_the_value_however_it_is_cut(
    value: Any, cuts: list[int]
) -> None:
    text, outline, at = json.dumps(value).encode(), Outline(LEVELS), 0
    for cut in cuts:
        outline.feed(text[at : at + cut])
        at += cut
    outline.feed(text[at:])
    assert json.loads(outline.text) == outlined(value)


@settings(deadline=None)
@given(pieces=st.lists(st.binary(max_size=30), max_size=10))
def test_what_is_no_json_at_all_ends_too(pieces: list[bytes]) -> None:
    outline = Outline(LEVELS)
    for piece in pieces:
        outline.feed(piece)
    assert len(outline.text) <= sum(map(len, pieces))
