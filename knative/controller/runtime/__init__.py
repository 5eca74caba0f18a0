"""The controller as a process: where events come from, and who carries instructions out.

In: `sources` (watches), `intake` (statistics), `advice_file`, `ticking` (the clock) → `process` →
out: `writer`, `activator`; beside them `snapshots`, `display`, `recording`, `breaker`, `settings`.
"""
