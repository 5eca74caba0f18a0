import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from knative.client.answers import Page, Text, decode, lines

MOST, LEVELS = 40, 1


async def pieces_of(*pieces: bytes) -> AsyncIterator[bytes]:
    for piece in pieces:
        yield piece


def read_lines(*pieces: bytes) -> list[Text]:
    async def run() -> list[Text]:
        return [line async for line in lines(pieces_of(*pieces), MOST, LEVELS)]

    return asyncio.run(run())


@pytest.mark.parametrize("cut", range(1, 20))
def test_lines_are_the_same_however_they_are_cut(cut: int) -> None:
    text = b'{"a": 1}\n\n{"b": [' + b"2, " * 50 + b'2], "c": 3}\n{"d": 4}\n'
    pieces = [text[at : at + cut] for at in range(0, len(text), cut)]
    assert read_lines(*pieces) == [
        Text(b'{"a": 1}', whole=True),
        Text(b"", whole=True),
        Text(b'{"b": [], "c": 3}', whole=False),
        Text(b'{"d": 4}', whole=True),
    ]


def test_a_line_of_just_the_limit_is_whole() -> None:
    assert read_lines(b"x" * MOST + b"\n") == [Text(b"x" * MOST, whole=True)]


def test_a_line_that_was_cut_off_is_given_as_it_is() -> None:
    assert read_lines(b'{"a": 1}\n{"b"')[1:] == [Text(b'{"b"', whole=True)]


# --- pages of lists -------------------------------------------------------------------------------


def page(text: str) -> Page:
    return Page(Text(text.encode(), whole=True))


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("order", [["items", "metadata"], ["metadata", "items"]])
def test_items_are_read_in_any_order_and_layout(order: list[str], indent: int | None) -> None:
    items = [{"metadata": {"name": f"é{i}"}, "items": [i]} for i in range(3)]
    said = {
        "items": items,
        "metadata": {"resourceVersion": "7", "continue": "next"},
        "kind": "List",
    }
    read = page(json.dumps({key: said[key] for key in [*order, "kind"]}, indent=indent))
    assert list(read.items()) == items
    assert (read.version, read.more) == ("7", "next")


@pytest.mark.parametrize("items", ["[]", "null", " [ ] "])
def test_a_list_may_be_empty(items: str) -> None:
    read = page('{"items":' + items + ', "metadata": {"resourceVersion": "7"}}')
    assert list(read.items()) == []
    assert (read.version, read.more) == ("7", "")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "7",
        "null",
        "[]",
        "{}",
        '{"items": [',
        '{"items": [1',
        '{"items": [1 2], "metadata": {"resourceVersion": "7"}}',
        '{"items": [1], "metadata": "7"}',
        '{"items": [1] "metadata": {"resourceVersion": "7"}}',
        '{"items" [1], "metadata": {"resourceVersion": "7"}}',
        '{"items": [' + "[" * 100_000,
    ],
)
def test_what_is_no_list_is_a_wrong_value(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # whatever it says
        list(page(text).items())


# --- values ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", [b"[" * 100_000, b'{"a":' * 100_000, b"NaN", b"-Infinity", b"\xff"]
)
def test_what_no_server_gives_is_a_wrong_value(text: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # whatever it says
        decode(text)


def test_integers_of_64_bits_are_read_and_longer_ones_are_infinite() -> None:
    text = f"[{2**63 - 1}, {-(2**63)}, {10**30}, -{'9' * 5000}]".encode()
    assert decode(text) == [2**63 - 1, -(2**63), float("inf"), float("-inf")]
