"""Pods that may report statistics: activators, and replicas of kn-ahead that forward theirs."""

from dataclasses import dataclass

from knative.client.api import Object
from knative.mirror.fields import name

REPORTERS = "app in (activator, autoscaler)"  # their labels, in Knative's namespace
_ADDRESSES = 4  # of a pod, at most; Kubernetes has one of each family


@dataclass(frozen=True, slots=True)
class Reporter:
    """A pod that may report statistics."""

    addresses: tuple[str, ...]
    connects: bool  # whether it must be connected: an activator is not ready before it is


def reporter(o: Object) -> Reporter:
    """Parse a pod that may report."""
    meta, status = o["metadata"], o.get("status") or {}
    listed = [entry.get("ip") for entry in (status.get("podIPs") or [])[:_ADDRESSES]]
    addresses = dict.fromkeys(name(ip) for ip in [status.get("podIP"), *listed])
    ready = any(
        c["type"] == "Ready" and c["status"] == "True" for c in status.get("conditions") or []
    )
    return Reporter(
        addresses=tuple(address for address in addresses if address),
        connects=ready and (meta.get("labels") or {}).get("app") == "activator",
    )
