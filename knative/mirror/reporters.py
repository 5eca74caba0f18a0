"""Pods that may report statistics: activators, and replicas of ours that pass theirs on."""

from dataclasses import dataclass

from knative.client.api import Object
from knative.mirror.fields import name

REPORTERS = "app in (activator, autoscaler)"  # their labels, in Knative's namespace
_ADDRESSES = 4  # that a pod may have: one of each family, with room to spare


@dataclass(frozen=True, slots=True)
class Reporter:
    """A pod that may report statistics."""

    addresses: tuple[str, ...]
    connects: bool  # whether it is connected for sure: no activator is ready before it is


def reporter(o: Object) -> Reporter:
    """Keep what matters of a pod that may report."""
    meta, said = o["metadata"], o.get("status") or {}
    listed = [entry.get("ip") for entry in (said.get("podIPs") or [])[:_ADDRESSES]]
    addresses = dict.fromkeys(name(ip) for ip in [said.get("podIP"), *listed])
    ready = any(
        c["type"] == "Ready" and c["status"] == "True" for c in said.get("conditions") or []
    )
    return Reporter(
        addresses=tuple(address for address in addresses if address),
        connects=ready and (meta.get("labels") or {}).get("app") == "activator",
    )
