"""The controller as a state machine: events in, instructions out; no I/O, no clock.

`events` → `controller`, `reports` → `revisions` (objects and rows), `traffic`, `start_up`, `drain`
(both from `measured`) → `plan`, `status` (what has to be written) → `instructions`; `failed_plans`,
`changes` are shown.
"""
