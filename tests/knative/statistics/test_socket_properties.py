"""Whatever bytes come on a socket, the server lives, keeps little, and answers the next probe."""

import asyncio
import logging

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.knative.statistics.clients import PROBE, UPGRADE, Port, ShopScenario, run, status, until
from tests.knative.statistics.examples import a_frame, a_message

heads = st.sampled_from(b"\x00\x01\x02\x03\x0f\x80\x81\x82\x83\x88\x89\x8a\xc2")
payloads = st.one_of(st.binary(max_size=200), st.just(a_frame("cart")), st.just(bytes(70_000)))
frames = st.one_of(st.builds(a_message, payloads, heads), st.binary(max_size=20))
talks = st.lists(frames, max_size=6).map(b"".join)
cuts = st.integers(0, len(PROBE))
requests = st.one_of(
    st.binary(max_size=300),
    st.just(PROBE),
    st.builds(lambda cut, more: PROBE[:cut] + more, cuts, st.binary(max_size=50)),
)
much = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def is_survived(begin: bytes, said: bytes, cut: int, *, half: bool) -> ShopScenario:
    """Somebody says that, in two parts, and leaves."""

    async def story(port: Port) -> None:
        raw = await port.raw()
        if begin:
            await raw.upgrade()
        raw.send(said[:cut])
        await asyncio.sleep(0)
        raw.send(said[cut:])
        if half:
            raw.writer.write_eof()
            await raw.rest()
        assert status(await port.answer()) == 200
        async with await port.dial() as activator:
            await activator.send(a_frame("genuine"))
            await port.has("shop/genuine")
        raw.leave()
        await until(lambda: port.server.counts.pending + port.server.counts.unknown == 0)
        assert port.server.counts.unfinished_bytes == port.server.counts.waiting_bytes == 0

    return story


@much
@given(talks, st.integers(0, 300), st.booleans())
def test_a_socket_may_say_anything(
    caplog: pytest.LogCaptureFixture, said: bytes, cut: int, half: bool
) -> None:
    caplog.clear()
    run(is_survived(UPGRADE, said, cut, half=half))
    assert not [r for r in caplog.records if r.levelno >= logging.ERROR]


@much
@given(requests, st.integers(0, 300), st.booleans())
def test_a_request_may_be_anything(
    caplog: pytest.LogCaptureFixture, said: bytes, cut: int, half: bool
) -> None:
    caplog.clear()
    run(is_survived(b"", said, cut, half=half))
    assert not [r for r in caplog.records if r.levelno >= logging.ERROR]
