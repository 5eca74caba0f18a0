"""Assembles the messages of one WebSocket from its frames, and counts unfinished bytes."""

from collections.abc import Iterator

from websockets.frames import Frame, Opcode
from websockets.server import ServerProtocol

_MASK_BYTES = 4


class MessageAssembler:
    """Returns binary messages; ignores text."""

    def __init__(self, protocol: ServerProtocol) -> None:
        self._protocol = protocol
        self._frame_bytes = 0  # received of a frame that is not complete
        self._fragments = bytearray()  # complete frames of a message that is not
        self._is_binary = False

    @property
    def in_progress(self) -> bool:
        """Whether a message, or a frame of any kind, has been received in part."""
        return self._frame_bytes > 0 or self._protocol.current_size is not None

    @property
    def unfinished_bytes(self) -> int:
        """Bytes of it that are stored."""
        return self._frame_bytes + len(self._fragments)

    def feed(self, data: bytes) -> tuple[list[bytes], bool]:
        """Parse bytes; the messages that are complete now, and whether the last frame ended one.

        A frame outside of any message (a ping) counts as the end of one. Answers of the protocol
        are in its `data_to_send()` afterwards.
        """
        self._frame_bytes += len(data)
        self._protocol.receive_data(data)
        frames = [e for e in self._protocol.events_received() if isinstance(e, Frame)]
        messages = [message for frame in frames for message in self._add(frame)]
        return messages, bool(frames) and self._protocol.current_size is None

    def _add(self, frame: Frame) -> Iterator[bytes]:
        self._frame_bytes -= _bytes_on_the_wire(len(frame.data))
        if frame.opcode in (Opcode.BINARY, Opcode.TEXT):
            self._is_binary = frame.opcode is Opcode.BINARY
        elif frame.opcode is not Opcode.CONT:
            return  # the protocol answers pings and closes itself
        if not self._is_binary:
            return
        if frame.fin and not self._fragments:
            yield bytes(frame.data)
            return
        self._fragments += frame.data
        if frame.fin:
            yield bytes(self._fragments)
            self._fragments = bytearray()


def _bytes_on_the_wire(payload_bytes: int) -> int:
    """The size of a whole frame from a client."""
    length_bytes = 0 if payload_bytes < 126 else 2 if payload_bytes < 2**16 else 8
    return 2 + length_bytes + _MASK_BYTES + payload_bytes
