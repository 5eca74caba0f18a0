"""An advisor as a process, and a client of its API."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from tests.autoscaler.advisor.scene import Scene
from tests.programs import NO_CLUSTER, Running, kn_ahead, running, until

FREE = ("--host=127.0.0.1", "--api-port=0")


@contextmanager
def advising(scene: Scene, *more: str, **env: str) -> Iterator[tuple[Running, httpx.Client]]:
    """An advisor, and a client of its API."""
    command = kn_ahead("advisor", *scene.folders, *FREE, *more)
    with running(*command, **(env or NO_CLUSTER)) as it:
        url = it.says(r"serving the API url=(http\S+)")[1]
        with httpx.Client(base_url=url, timeout=30.0, trust_env=False) as client:
            yield it, client


def serves(client: httpx.Client, path: str = "/healthz") -> httpx.Response:
    """An answer, as soon as there are any."""
    answers: list[httpx.Response] = []

    def asked() -> bool:
        try:
            answers.append(client.get(path))
        except httpx.TransportError:
            return False
        return True

    until(asked, f"{client.base_url} serves")
    return answers[0]
