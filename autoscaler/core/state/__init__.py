"""What is known of each revision and service, as columns of arrays.

`columns`, `rings` (storage) → `revision` (the names of the columns) → `window`, `delay`,
`rate_history` (rings over time), `decision` (what was decided) → `services`, `new_revision`,
`fleet` (key to row). Imports nothing of the core but `types` and `names`.
"""
