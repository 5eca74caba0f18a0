"""The benchmark: policies on traces, one harness with one vocabulary, `kn-ahead bench`.

`settings` (what holds for all) → `part` (a trace under some contenders, of one draw of arrival
times: planned, simulated, counted; by `rules` of rivals) → `store` (parts that are done, in a
folder) → `backends` (where parts are done) → `sweep` (a contender's counts over draws) → `results`
(scores, curves, intervals) → `tables`, `page` (for people), `smoke` (a small fixed set, held to
what was recorded).
"""
