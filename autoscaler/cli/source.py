"""The running autoscaler that is asked: at a URL, or in the cluster of a kubeconfig's context."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path

from autoscaler.access import Access
from autoscaler.cli.options import DEFAULT_URL
from autoscaler.cli.rest import RestApi


@contextmanager
def connected(
    url: str,
    context: str,
    kubeconfig: Path | None,
    token_file: Path | None = None,
    header: Sequence[str] | None = None,
    ca_file: Path | None = None,
) -> Iterator[RestApi]:
    """The REST API of the autoscaler that is asked.

    url: "" = the default one. context, kubeconfig: where either is given, the Deployment of that
    cluster, by a port-forward that ends with the block. token_file, header, ca_file: what is sent
    to it, and whom we trust; None = nothing, and the system's authorities. Raises PermanentError.
    """
    access = Access(token_file=token_file, headers=tuple(header or ()), ca_file=ca_file)
    if not (context or kubeconfig):
        with RestApi(url or DEFAULT_URL, access) as api:
            yield api
        return
    # By name: this room must not import that one, which alone speaks to a cluster.
    forwarding = import_module("knative.client.port_forward")
    with forwarding.forwarded(context, kubeconfig) as address, RestApi(address, access) as api:
        yield api
