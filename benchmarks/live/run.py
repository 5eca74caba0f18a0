"""A whole run: deploy, learn, measure, and take all away again, whatever happens between."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from autoscaler.clock import Clock, SystemClock
from autoscaler.errors import AutoscalerError, PermanentError
from benchmarks.live.cluster import Cluster, Images
from benchmarks.live.copies import Copy, Schedule, Span, copies_of, schedule_of
from benchmarks.live.kinds import Kind
from benchmarks.live.learning import LEARNER, PROMETHEUS, Learning, learning_objects
from benchmarks.live.load import Answer, Target, check_reachable, offer
from benchmarks.live.pods import PodLog, PodTimes, follow
from benchmarks.live.policies import Policy
from benchmarks.live.services import LABELS, SELECTOR, address_of, knative_service, revision_of
from knative.client.kubeconfig import connect

SHOWN_S = 1.0  # from one report of progress to the next
TIMEOUT_S = 120.0  # until a request is given up: twice the slowest start-up
SETTLE_S = 3.0  # after all is ready, until the first request

NOTHING_LEFT = "interrupted; nothing of the benchmark is left"
SOMETHING_LEFT = "interrupted; something of the benchmark may be left, see --cleanup"

OnProgress = Callable[[str, float], None]


class CutOffError(AutoscalerError):
    """A benchmark was interrupted; the message says whether something may be left of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is to be compared, and where."""

    context: str
    kubeconfig: Path | None
    namespace: str
    image: str
    prometheus_image: str
    kinds: tuple[Kind, ...]
    policies: tuple[Policy, ...]
    span: Span
    seed: int
    learning: Learning
    ingress: str  # URL of a gateway; "" = services are called by their addresses in the cluster
    domain: str  # of the cluster


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What happened."""

    asked: Asked
    context: str
    copies: tuple[Copy, ...]
    schedule: Schedule
    begin_s: float  # Unix s
    answers: tuple[Answer, ...]
    pods: tuple[PodTimes, ...]
    gaps: int  # of the watch of pods
    images: Images
    own_learner: bool  # whether the cluster had a learner of its own


async def run(asked: Asked, show: OnProgress, clock: Clock | None = None) -> Run:
    """Compare policies on a cluster. Raises PermanentError; nothing stays on the cluster."""
    async with connected(asked.context, asked.kubeconfig, asked.namespace) as cluster:
        show("looking at the cluster", 0.0)
        image = await cluster.check()
        async with taken_away(cluster, show):
            return await _measured(asked, cluster, image, show, clock or SystemClock())


@asynccontextmanager
async def connected(
    context: str, kubeconfig: Path | None, namespace: str
) -> AsyncIterator[Cluster]:
    """The cluster of a context."""
    api, name = await connect(context, kubeconfig)
    try:
        yield Cluster(api=api, name=name, namespace=namespace)
    finally:
        await api.close()


@asynccontextmanager
async def taken_away(cluster: Cluster, show: OnProgress) -> AsyncIterator[None]:
    """Take away all that is made within, also where it is interrupted or asked to end.

    Raises PermanentError where something stays, and CutOffError where it was interrupted.
    """
    task, is_away = asyncio.current_task(), False
    assert task
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    try:
        try:
            yield
        finally:
            await _take_away(cluster, show)
            is_away = True
    except asyncio.CancelledError as error:
        raise CutOffError(NOTHING_LEFT if is_away else SOMETHING_LEFT) from error


async def _take_away(cluster: Cluster, show: OnProgress) -> None:
    show("taking all away", 0.0)
    try:
        await cluster.remove()
    except AutoscalerError as error:
        raise PermanentError(
            f"something of the benchmark may still be there: {error}; see --cleanup"
        ) from error


async def _measured(
    asked: Asked, cluster: Cluster, image: str, show: OnProgress, clock: Clock
) -> Run:
    copies = copies_of(asked.kinds, asked.policies)
    log, answers = PodLog(), list[Answer]()
    watching = asyncio.create_task(follow(cluster.api, cluster.pods, SELECTOR, log, clock))
    try:
        own_learner = await cluster.has_learner()
        if not own_learner:
            await deploy_learner(asked, cluster, image, show)
        await deploy(asked, cluster, copies, show)
        targets = await targets_of(asked, cluster, copies)
        schedule = schedule_of(copies, asked.span, asked.seed)
        begin_s = clock.now() + SETTLE_S
        showing = asyncio.create_task(_show(asked.span, begin_s, show, clock))
        try:
            await offer(
                schedule, targets, begin_s=begin_s, timeout_s=TIMEOUT_S, clock=clock,
                tell=answers.append,
            )  # fmt: skip
            last_s = begin_s + asked.span.total_s + max(copy.shift_s for copy in copies)
            await asyncio.sleep(last_s - clock.now())
        finally:
            await ended(showing)
        images = await cluster.images()
    finally:
        await ended(watching)
    return Run(
        asked=asked, context=cluster.name, copies=copies, schedule=schedule, begin_s=begin_s,
        answers=tuple(answers), pods=log.pods(), gaps=log.gaps, images=images,
        own_learner=own_learner,
    )  # fmt: skip


async def deploy_learner(asked: Asked, cluster: Cluster, image: str, show: OnProgress) -> None:
    """A Prometheus and a learner, in steps of seconds."""
    show("deploying Prometheus and the learner", 0.0)
    objects = learning_objects(
        asked.learning, image=image, prometheus_image=asked.prometheus_image, labels=LABELS
    )
    await cluster.create_in_system(objects)
    await cluster.until_deployed((PROMETHEUS, LEARNER))


async def deploy(asked: Asked, cluster: Cluster, copies: Sequence[Copy], show: OnProgress) -> None:
    """All services of all copies; those that are called first."""
    names = [name for copy in copies for name in copy.services]
    for done, copy in enumerate(copies):
        calls = ""
        for name in reversed(copy.services):
            body = knative_service(
                name,
                image=asked.image,
                start_s=copy.kind.start_s,
                annotations=copy.policy.annotations,
                concurrency=copy.kind.concurrency,
                calls=calls,
                labels=LABELS,
            )
            await cluster.create(cluster.services, body)
            calls = address_of(revision_of(name), asked.namespace, asked.domain)
        show("deploying services", (done + 1) / len(copies))
    show("waiting for services", 0.0)
    await cluster.until_ready(names)


async def targets_of(asked: Asked, cluster: Cluster, copies: Sequence[Copy]) -> list[Target]:
    """Where each copy is called. Raises PermanentError where the first one does not answer."""
    targets = await _targets(asked, cluster, copies)
    await check_reachable(targets[0], TIMEOUT_S)
    return targets


async def _targets(asked: Asked, cluster: Cluster, copies: Sequence[Copy]) -> list[Target]:
    work = [f"?work={1000 * copy.kind.work_s:.0f}" for copy in copies]
    if not asked.ingress:
        urls = [address_of(c.revisions[0], asked.namespace, asked.domain) for c in copies]
        return [Target(url=url + query) for url, query in zip(urls, work, strict=True)]
    hosts = await cluster.hosts([copy.services[0] for copy in copies])
    return [
        Target(url=f"{asked.ingress.rstrip('/')}/{query}", host=hosts[copy.services[0]])
        for copy, query in zip(copies, work, strict=True)
    ]


async def _show(span: Span, begin_s: float, show: OnProgress, clock: Clock) -> None:
    while True:
        done_s = max(clock.now() - begin_s, 0.0)
        if done_s < span.learning_s:
            show("learning, discarded", done_s / span.learning_s)
        else:
            measured_s = span.total_s - span.learning_s
            show("measuring", min((done_s - span.learning_s) / measured_s, 1.0))
        await asyncio.sleep(SHOWN_S)


async def ended(task: asyncio.Task[None]) -> None:
    """Cancel a task, and wait until it has ended."""
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
