"""Requests in, cold starts out, under the production loop.

`arrivals` (requests from counts) → `events` (one service's pods) → `cluster`, `surroundings` (what
a cluster does) → `simulation`; `forecasts` hands it recorded ones; `pods`, `calls` are for services
that call each other.
"""
