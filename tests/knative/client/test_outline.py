import json

import pytest

from knative.client.outline import MOST_BYTES, Outline

PIECE = 2**16


def outline_of(text: bytes, levels: int = 2) -> bytes:
    outline = Outline(levels)
    for at in range(0, len(text), PIECE):
        outline.feed(text[at : at + PIECE])
    return outline.text


@pytest.mark.parametrize(
    "filling",
    [
        b'"' + b"x" * 9_000_000 + b'"',
        b'"' + b'\\"' * 4_000_000 + b'"',
        b"[" * 999_999 + b"]" * 999_999,
    ],
    ids=["a long text", "a text of quotes", "brackets"],
)
def test_of_a_large_object_the_name_is_left(filling: bytes) -> None:
    text = b'{"metadata": {"labels": [{"a": ' + filling + b'}], "name": "cart"}}'
    assert json.loads(outline_of(text)) == {"metadata": {"labels": [], "name": "cart"}}


def test_an_outline_that_is_too_large_itself_is_refused() -> None:
    text = json.dumps({"metadata": {str(i): i for i in range(MOST_BYTES // 10)}}).encode()
    with pytest.raises(ValueError, match="outline"):
        outline_of(text)
