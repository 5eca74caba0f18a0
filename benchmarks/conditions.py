"""What a cluster makes of a decision: conditions, activator path, probe."""

import numpy as np

from autoscaler.core.bounds import least
from autoscaler.core.decision import Decisions
from autoscaler.core.fleet import Fleet, Rows, take
from autoscaler.core.revision import Active
from autoscaler.core.zero import next_active


def follow(fleet: Fleet, decisions: Decisions, rows: Rows) -> None:
    """Write into ``fleet.seen`` what is seen after the decisions for its ``rows``."""
    seen = fleet.seen
    spec, now_seen = take(fleet.spec, rows), take(seen, rows)
    active = next_active(decisions.want, spec, now_seen)
    changed = active != now_seen.active
    seen.active[rows] = active
    seen.active_since_s[rows] = np.where(changed, decisions.now, now_seen.active_since_s)
    seen.initialized[rows] |= now_seen.ready >= np.maximum(least(spec, now_seen), 1)
    proxied = decisions.proxy | (now_seen.ready == 0)
    since = np.where(np.isnan(now_seen.proxied_since_s), decisions.now, now_seen.proxied_since_s)
    seen.proxied_since_s[rows] = np.where(proxied, since, np.nan)
    inactive = active == Active.FALSE
    seen.probe_passed[rows] = inactive & (now_seen.probe_passed | decisions.probe)
