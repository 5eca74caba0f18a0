"""The controller as a process: sources of events, and what carries out instructions.

In: `sources` (watches), `intake` (statistics), `advice_file`, `ticking` (the clock) → `process` →
out: `writer`, `activator`; beside them `snapshots`, `display`, `recording`, `breaker`, `settings`.
"""
