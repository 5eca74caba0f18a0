"""Decodes a frame of statistics into arrays.

First the top level of a frame is scanned, which counts messages and checks their lengths without
parsing them: a million empty messages cost no more than the allowed twenty thousand. Then each
message that cannot be parsed, or has impossible names or numbers, is dropped and counted; the
others are decoded.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError

from autoscaler.core.types import BoolArray, FloatArray, IntArray
from autoscaler.limits import (
    FRAME_MESSAGES,
    GARBLED_FRAMES,
    GARBLED_MESSAGES,
    MESSAGE_BYTES,
    NAME_BYTES,
    NAMES,
    SAMPLE,
    Limit,
)
from knative.statistics.wire import WireStatMessages

Refuse = Callable[[Limit, str, int], None]  # called with the limit, what exceeded it, how often

PIECE_MESSAGES = 1_000  # of a larger frame that are taken in one step: 1.5 ms of decoding

_MESSAGES = 0x0A  # the tag of `WireStatMessages.messages`
_NAME = b"abcdefghijklmnopqrstuvwxyz0123456789-."  # what names in Kubernetes are made of
_SHOWN = 80  # characters of a name that is refused


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodedFrame:
    """What an activator reports of n revisions for the second that ended."""

    keys: list[str]  # "namespace/revision"; one may come twice
    concurrency: FloatArray  # (n,) average requests in flight
    requests: FloatArray  # (n,) requests in that second
    second: IntArray  # (n,) Unix s; 0 = now


def decode(frame: bytes, refuse: Refuse = lambda *_: None) -> DecodedFrame:
    """The statistics in a frame; never raises. Messages without a statistic are left out."""
    keys, concurrency, requests, second = list[str](), list[float](), list[float](), list[int]()
    for message in _messages(frame, refuse):
        if message.HasField("stat"):
            stat = message.stat
            keys.append(f"{message.namespace}/{message.name}")
            concurrency.append(stat.average_concurrent_requests)
            requests.append(stat.request_count)
            second.append(stat.timestamp)
    reported = DecodedFrame(
        keys=keys,
        concurrency=np.array(concurrency, np.float64),
        requests=np.array(requests, np.float64),
        second=np.array(second, np.int64),
    )
    return _select(reported, _valid_names(keys, refuse) & _valid_numbers(reported, refuse))


def split(frame: bytes) -> Iterator[bytes]:
    """Split a frame into frames of `PIECE_MESSAGES` messages each.

    A frame that `decode` would refuse is not split.
    """
    begin = 0
    try:
        for end in _message_ends(frame)[PIECE_MESSAGES - 1 : -1 : PIECE_MESSAGES]:
            yield frame[begin:end]
            begin = end
    except _RefusedError:
        pass
    yield frame[begin:]


class _RefusedError(Exception):
    """The frame exceeds `limit`."""

    def __init__(self, limit: Limit) -> None:
        super().__init__(limit.name)
        self.limit = limit


def _messages(frame: bytes, refuse: Refuse) -> Iterator[Any]:
    """The messages that can be parsed."""
    try:
        ends = _message_ends(frame)
    except _RefusedError as error:
        refuse(error.limit, f"a frame of {len(frame)} bytes", 1)
        return
    try:
        yield from WireStatMessages.FromString(frame).messages
    except DecodeError:
        for begin, end in zip([0, *ends], ends, strict=False):
            try:
                yield from WireStatMessages.FromString(frame[begin:end]).messages
            except DecodeError:
                refuse(GARBLED_MESSAGES, f"a message of {end - begin} bytes", 1)


def _message_ends(frame: bytes) -> list[int]:
    """Where each message ends. Raises _RefusedError as soon as there are too many."""
    ends = list[int]()
    at, length, fields, most = 0, len(frame), 0, FRAME_MESSAGES.most
    try:
        while at < length:
            fields += 1
            if fields > most:
                raise _RefusedError(FRAME_MESSAGES)
            if frame[at] != _MESSAGES:
                at = _skip(frame, at)
                continue
            size = frame[at + 1]
            at += 2
            if size >= 0x80:
                size, at = _varint(frame, at - 1)
            if size > MESSAGE_BYTES.most:
                raise _RefusedError(MESSAGE_BYTES)
            at += size
            ends.append(at)
    except (IndexError, ValueError):
        raise _RefusedError(GARBLED_FRAMES) from None
    if at != length:
        raise _RefusedError(GARBLED_FRAMES)
    return ends


def _skip(frame: bytes, at: int) -> int:
    """Where an unknown field ends."""
    tag, at = _varint(frame, at)
    match tag & 7:
        case 0:  # an integer
            return _varint(frame, at)[1]
        case 1:  # eight bytes
            return at + 8
        case 2:  # text, bytes or a message
            size, at = _varint(frame, at)
            return at + size
        case 5:  # four bytes
            return at + 4
    raise ValueError("a group, or no wire type")


def _varint(frame: bytes, at: int) -> tuple[int, int]:
    """An integer, and where it ends."""
    value = 0
    for shift in range(0, 70, 7):
        byte = frame[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("an integer of more than ten bytes")


def _select(r: DecodedFrame, which: BoolArray) -> DecodedFrame:
    if which.all():
        return r
    return DecodedFrame(
        keys=[key for key, selected in zip(r.keys, which.tolist(), strict=True) if selected],
        concurrency=r.concurrency[which],
        requests=r.requests[which],
        second=r.second[which],
    )


def _valid_numbers(r: DecodedFrame, refuse: Refuse) -> BoolArray:
    """Which messages have possible numbers; (n,)."""
    low, high = np.minimum(r.concurrency, r.requests), np.maximum(r.concurrency, r.requests)
    possible: BoolArray = (low >= 0) & (high <= SAMPLE.most)  # NaN compares False
    for i in np.flatnonzero(~possible).tolist():
        who = f"{r.keys[i][:_SHOWN]} with {r.concurrency[i]} and {r.requests[i]}"
        refuse(SAMPLE, who, 1)
    return possible


def _valid_names(keys: list[str], refuse: Refuse) -> BoolArray:
    """Which keys are made of names that Kubernetes allows; (n,)."""
    well = np.ones(len(keys), np.bool_)
    if keys and not _all_valid_names(keys):
        for i, key in enumerate(keys):
            limit = _broken_limit(key)
            if limit:
                well[i] = False
                refuse(limit, key[:_SHOWN], 1)
    return well


def _all_valid_names(keys: list[str]) -> bool:
    """Whether `_broken_limit` finds nothing in any key; checks all at once, which is fast."""
    text = "\n" + "\n".join(keys) + "\n"
    others = text.encode().translate(None, _NAME)
    return (
        others == b"\n" + b"/\n" * len(keys)  # one slash each, and nothing else
        and "\n/" not in text
        and "/\n" not in text
        and max(map(len, keys)) <= NAME_BYTES.most
    )


def _broken_limit(key: str) -> Limit | None:
    namespace, _, name = key.partition("/")
    if max(len(namespace), len(name)) > NAME_BYTES.most:
        return NAME_BYTES
    return None if namespace and name and key.encode().translate(None, _NAME) == b"/" else NAMES
