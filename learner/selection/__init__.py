"""Which model forecasts which service, decided on held-back time, and how probable is probable.

`losses` (cost of decisions) → `backtest`; `reliability` → `calibration`; both → `competition`;
`bisection` finds the services that make a fit fail. Imports `models`.
"""
