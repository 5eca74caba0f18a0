"""The demo: a synthetic shop, learned and replayed, which then goes on live behind the API.

`shop` (what happens when) → `live` (the shop's clock runs on, with decisions) → `cached` (what is
shown before a run has results of its own) → `status` (how far the run is, above the page's
decisions) → `front` (the app that serves it) → `run`.
"""
