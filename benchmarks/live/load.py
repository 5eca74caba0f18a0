"""Open-loop load: each request is sent when it is meant to be, whatever became of others.

Latencies count from the intended time, so that a sender that is behind is not taken for speed.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import aiohttp

from autoscaler.clock import Clock
from autoscaler.errors import PermanentError
from benchmarks.live.copies import Schedule

NO_ANSWER = 0
ANSWER_BYTES = 4096  # of an answer that are read for names of pods


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where a copy is called."""

    url: str
    host: str = ""  # of its header, where a gateway tells services apart by it; "" = the URL's

    @property
    def headers(self) -> dict[str, str]:
        """Of a request."""
        return {"Host": self.host} if self.host else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came of a request. Times are Unix s."""

    copy: int
    intended_s: float
    sent_s: float
    done_s: float
    status: int  # HTTP's; NO_ANSWER = there was none
    timed_out: bool = False
    words: tuple[str, ...] = ()  # of the answer, names of pods among them

    @property
    def latency_s(self) -> float:
        """From when it was meant to be sent."""
        return self.done_s - self.intended_s


async def check_reachable(target: Target, timeout_s: float) -> None:
    """Send one request. Raises PermanentError where it is not answered as it should be."""
    timeout = aiohttp.ClientTimeout(total=timeout_s)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.get(target.url, headers=target.headers, allow_redirects=False) as answer,
        ):
            why = "" if is_success(answer.status) else f"HTTP {answer.status}"
    except TimeoutError:
        why = f"no answer in {timeout_s:g} s"
    except aiohttp.ClientError as error:
        why = " ".join(str(error).split())
    if why:
        named = f" for host {target.host}" if target.host else ""
        raise PermanentError(
            f"{target.url}{named} does not answer: {why}; allowed: where the cluster's Services"
            " resolve, or from outside with its gateway's URL, by --ingress"
        )


def is_success(status: int) -> bool:
    """Whether HTTP's status is one: a redirect is no answer either."""
    return 200 <= status < 300


async def offer(
    schedule: Schedule,
    targets: Sequence[Target],
    *,
    begin_s: float,
    timeout_s: float,
    clock: Clock,
    tell: Callable[[Answer], None],
) -> None:
    """Send all requests of a schedule at their times; returns when all are answered.

    begin_s: Unix s. tell: called with each answer.
    """
    # A connection each: one that is kept would go on to the pod that it was opened to.
    connector = aiohttp.TCPConnector(limit=0, force_close=True, ttl_dns_cache=300)
    timeout = aiohttp.ClientTimeout(total=timeout_s)
    async with (
        aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
        asyncio.TaskGroup() as requests,
    ):
        for at_s, copy in zip(schedule.at_s.tolist(), schedule.copy.tolist(), strict=True):
            await asyncio.sleep(begin_s + at_s - clock.now())
            sent = _send(session, targets[copy], copy, begin_s + at_s, clock, tell)
            requests.create_task(sent)


async def _send(
    session: aiohttp.ClientSession,
    target: Target,
    copy: int,
    intended_s: float,
    clock: Clock,
    tell: Callable[[Answer], None],
) -> None:
    sent_s, status, timed_out = clock.now(), NO_ANSWER, False
    words: tuple[str, ...] = ()
    asked = session.get(target.url, headers=target.headers, allow_redirects=False)
    try:
        async with asked as answer:
            body = await answer.content.read(ANSWER_BYTES)
            await answer.read()
            status, words = answer.status, tuple(body.decode(errors="replace").split())
    except TimeoutError:
        timed_out = True
    except aiohttp.ClientError:
        status = NO_ANSWER
    done_s = clock.now()
    tell(
        Answer(
            copy=copy, intended_s=intended_s, sent_s=sent_s, done_s=done_s, status=status,
            timed_out=timed_out, words=words,
        )
    )  # fmt: skip
