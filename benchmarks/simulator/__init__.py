"""Simulates pods and requests under the production control loop.

`arrivals` (requests from counts) → `events` (one row), `cluster` (all rows), `actuation`
(instructions applied), `steady` (rows for which nothing changes) → `simulation`; `forecasts` holds
those of a replay, `floors` what planners keep standing; `pods`, `calls` simulate services that call
each other.
"""
