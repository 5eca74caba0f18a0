"""Finds which services call which, from each service's own traffic; no tracing is needed.

`activity` → `busy_periods` → `starts` (intermittent services: whose starts follow whose);
`counts` (continuous services: whose request counts follow whose); `significance` serves both.
`start_search` and `count_search` run them. Imports `demand`.
"""
