"""What forecasts and dependencies add to Knative's rule.

`forecasts`, `dependencies` (as published) → `advice` (resolved for the fleet) → `predictive` (pods
from exceedance curves and a price); `path_ends` (measured calls and load), `increase` →
`anticipated` (pods for calls of upstream services). Imports `core.state`.
"""
