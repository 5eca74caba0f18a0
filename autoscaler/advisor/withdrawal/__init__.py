"""Withdrawal: a forecast loses its say for a service when the ledger shows that it loses.

`evidence`: the sequential test, hour by hour, of all services at once; `withdrawals`: which
services are withdrawn, since when and why, from the hours of the ledger.
"""
