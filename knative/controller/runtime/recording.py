"""A recording: all events of a controller with their times, and the instructions that followed.

`benchmarks.recorded` replays the events by the present code and compares the instructions. A file
is gzip: a title line, then records of a kind, a time, a length, and as many bytes of JSON (advice:
of its own layout).
"""

import gzip
import json
import struct
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields, is_dataclass
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

import numpy as np

from autoscaler.errors import PermanentError
from autoscaler.exchange.advice import LAYOUT, checked
from autoscaler.limits import RECORDING_BYTES
from knative.controller.state import events, instructions
from knative.controller.state.events import AdviceSeen, Event
from knative.controller.state.instructions import Instruction

TITLE = b"kn-ahead recording 1\n"
HEAD = struct.Struct("<BdI")  # kind, Unix s, bytes that follow
_START, _EVENT, _ADVICE, _INSTRUCTIONS = range(4)
LONGEST_RECORD = 64 * 2**20  # bytes

_EVENTS = {kind.__name__: kind for kind in get_args(Event)}
_KINDS = _EVENTS | {kind.__name__: kind for kind in get_args(Instruction)}
_KINDS |= {kind.__name__: kind for kind in get_args(instructions.Write)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One event, and the instructions that followed."""

    now: float  # Unix s
    event: Event
    instructions: list[Any]  # as JSON has them


class Recorder:
    """Writes a recording; an error or too many bytes end the recording only."""

    def __init__(self, path: Path, *, plain: bool, now: float) -> None:
        """plain: as of `Controller`. Raises OSError."""
        self._file = gzip.open(path, "wb", compresslevel=1)  # noqa: SIM115  # closed by `end`
        self._bytes = 0
        self.fault = ""  # why nothing more is recorded; "" = it is
        self._file.write(TITLE)
        self._put(_START, now, json.dumps({"plain": plain}).encode())

    def record(self, event: Event, todo: list[Instruction], now: float) -> None:
        """Record an event of Unix s ``now``, and its instructions."""
        if self.fault:
            return
        try:
            if isinstance(event, AdviceSeen) and event.table:
                self._put(_ADVICE, now, LAYOUT.pack(event.table.arrays()))
            else:
                self._put(_EVENT, now, _json(event))
            if todo:
                self._put(_INSTRUCTIONS, now, _json(todo))
            if isinstance(event, events.Ticked):
                self._file.flush(zlib.Z_SYNC_FLUSH)
            if self._bytes > RECORDING_BYTES.most:
                self.end(f"the recording has {self._bytes} bytes, and ends")
        except Exception as error:  # noqa: BLE001  # events are handled all the same
            self.end(f"the recording ends: {error}")

    def end(self, why: str = "") -> None:
        """Close the file."""
        self.fault = self.fault or why
        with suppress(OSError):  # a full disk
            self._file.close()

    def _put(self, kind: int, now: float, body: bytes) -> None:
        self._file.write(HEAD.pack(kind, now, len(body)))
        self._file.write(body)
        self._bytes += HEAD.size + len(body)


def read(path: Path) -> tuple[bool, Iterator[Record]]:
    """Whether the controller was plain, and all records of a file.

    Raises PermanentError, which names the file, also while it is read; a file that was cut short
    just ends.
    """
    pieces = _pieces(path)
    kind, _, body = next(pieces, (None, 0.0, b""))
    if kind != _START:
        raise PermanentError(f"{path} is no recording; allowed: {TITLE.decode().strip()}")
    with _understood(path):
        plain = bool(json.loads(body)["plain"])
    return plain, _records(pieces, path)


def _pieces(path: Path) -> Iterator[tuple[int, float, bytes]]:
    try:
        with gzip.open(path, "rb") as file:
            if file.read(len(TITLE)) != TITLE:
                return
            while len(head := file.read(HEAD.size)) == HEAD.size:
                kind, now, length = HEAD.unpack(head)
                if length > LONGEST_RECORD:
                    raise PermanentError(f"{path} has a record of {length} bytes")
                body = file.read(length)
                if len(body) < length:
                    return
                yield kind, now, body
    except EOFError:
        return  # its writer was killed
    except (OSError, zlib.error) as error:
        raise PermanentError(f"{path} cannot be read: {error}") from error


def _records(pieces: Iterator[tuple[int, float, bytes]], path: Path) -> Iterator[Record]:
    waiting: tuple[float, Event] | None = None
    for kind, now, body in pieces:
        if kind == _INSTRUCTIONS and waiting:
            with _understood(path):
                asked = json.loads(body)
            yield Record(now=waiting[0], event=waiting[1], instructions=asked)
            waiting = None
            continue
        if waiting:
            yield Record(now=waiting[0], event=waiting[1], instructions=[])
        with _understood(path):
            waiting = now, _read_event(kind, body, path)
    if waiting:
        yield Record(now=waiting[0], event=waiting[1], instructions=[])


def _read_event(kind: int, body: bytes, path: Path) -> Event:
    if kind == _ADVICE:
        return AdviceSeen(table=checked(LAYOUT.unpack(body, path), path))
    if kind != _EVENT:
        raise ValueError(f"a record of kind {kind}")
    return _event(json.loads(body))


@contextmanager
def _understood(path: Path) -> Iterator[None]:
    """Turns any error of a record into a PermanentError that names the file."""
    try:
        yield
    except PermanentError:
        raise
    except Exception as error:
        raise PermanentError(f"{path} has a record that cannot be read: {error!r}") from error


def as_json(value: Any) -> Any:
    """A value as JSON: a dataclass as its fields, with the name of its class as "kind"."""
    return json.loads(_json(value))


def _json(value: Any) -> bytes:
    return json.dumps(value, default=_plain, separators=(",", ":")).encode()


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        plain = {f.name: getattr(value, f.name) for f in fields(value)}
        name = type(value).__name__
        return {"kind": name, **plain} if name in _KINDS else plain
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, Enum):
        return value.value
    raise TypeError(f"{type(value)} is not recorded")


def _event(plain: dict[str, Any]) -> Event:
    event: Event = _made(_EVENTS[plain.pop("kind")], plain)
    return event


def _made(kind: Any, plain: Any) -> Any:
    """A value of a type annotation, from JSON."""
    origin = get_origin(kind)
    if origin in (UnionType,) or (origin is not None and NoneType in get_args(kind)):
        kinds = [k for k in get_args(kind) if k is not NoneType]
        return None if plain is None else _made(kinds[0], plain)
    if origin is np.ndarray:
        return np.array(plain, dtype=get_args(get_args(kind)[1])[0])
    if origin is tuple:
        return tuple(_made(get_args(kind)[0], each) for each in plain)
    if isinstance(kind, type) and is_dataclass(kind):
        hints = get_type_hints(kind)
        return kind(**{name: _made(hints[name], value) for name, value in plain.items()})
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind(plain)
    return dict(plain) if isinstance(plain, Mapping) else plain
