"""`kn-ahead forecast`: what is ahead of one service, from a Prometheus alone.

`look_ahead` (forecasts of the last days, checked, and of the next hour) → `picture` (terminal and
HTML) → `commands`.
"""
