"""The decision core: pure functions over arrays; no I/O, no clock, no framework."""
