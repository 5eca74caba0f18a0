"""Newest forecasts and fits in tasks: in this process, or on a cluster of workers.

`shard` (what a task does) → `backend` (where tasks run: a protocol) → `local`, `on_dask`; `shards`
makes tasks of services, and one forecast of the answers; `model` lets that be a model. A worker
carries the state of its shards as a cache of the past that the learner holds: one that is lost is
filled anew elsewhere, and no forecast depends on who answers. `remote` is what a worker of the
cluster is handed.
"""
