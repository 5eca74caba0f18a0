"""Decides how many pods each revision has, and serves the API that says why.

In the order in which data flows: `bundle` (forecasts come in) → `advisor` (they become advice) →
`exchange` (files to and from the controller) → `core` (what is wanted of every revision) →
`advisor.read_model` → `api`. `cli` finds the commands of all rooms. Imports no other room.
"""
