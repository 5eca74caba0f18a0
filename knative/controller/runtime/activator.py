"""Probes whether a revision is served by the activator, as Knative does before scaling to zero."""

import aiohttp

HEADERS = {"K-Network-Probe": "activator", "User-Agent": "Knative-Autoscaling-Probe"}
ANSWER = b"activator"
TIMEOUT_S = 2.0


async def activator_answers(host: str, cluster_domain: str) -> bool:
    """Whether the activator answers at ``host``, "service.namespace", over a new connection.

    Source: knative/serving pkg/reconciler/autoscaling/kpa/scaler.go.
    """
    url = f"http://{host}.svc.{cluster_domain}:80/healthz"
    connector = aiohttp.TCPConnector(force_close=True)
    timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
    try:
        async with (
            aiohttp.ClientSession(connector=connector, timeout=timeout) as session,
            session.get(url, headers=HEADERS) as answer,
        ):
            return answer.status == 200 and await answer.content.read(16) == ANSWER
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError):
        return False
