"""Services that call each other, one after the other, and calls that find them all asleep."""

from collections.abc import Callable, Iterator, Sequence

from tests.cluster.conftest import Cluster, Deploy

LENGTH = 4
START_MS = 2000
TO_ZERO_S = 150.0


def chain(deploy: Deploy, name: str, ours: dict[str, str], *, declared: bool = False) -> list[str]:
    """Revisions that call each other, the first one first; made from the last one on.

    declared: whether each says by annotation who calls it.
    """
    revisions: list[str] = []
    for i in reversed(range(LENGTH)):
        said = ours | ({"upstreams": f"{name}-{i - 1}"} if declared and i else {})
        calls = revisions[0] if revisions else ""
        made = deploy(f"{name}-{i}", start_ms=START_MS, ours=said, calls=calls)
        revisions.insert(0, made)
    return revisions


def cold_calls(
    cluster: Cluster, revisions: Sequence[str], tell: Callable[[str], None]
) -> Iterator[float]:
    """s that each call took, as often as asked, all services being cold and all pods new."""
    used: set[str] = set()
    for count in range(1, 1_000):
        cluster.until(
            lambda: not any(cluster.pods(revision) for revision in revisions),
            TO_ZERO_S,
            f"{revisions} at zero, all at once",
        )
        status, pods, seconds = cluster.call_all(revisions[0])
        assert (status, len(pods)) == (200, len(revisions))
        warm = used & set(pods)
        used |= set(pods)
        if warm:  # a pod on its way out was still reached; it says nothing of a cold call
            tell(f"{revisions[0]}, call {count}: by a pod that is being deleted, not counted")
            continue
        tell(f"{revisions[0]}, call {count}: {seconds:.2f} s")
        yield seconds
