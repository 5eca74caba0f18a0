"""Withdrawal: what is wrong loses its say, visibly, and may come back.

A forecast does for a service when the ledger shows that it loses. `evidence`: the sequential test,
hour by hour, of all services at once; `withdrawals`: which services are withdrawn, since when and
why, from the hours of the ledger.

An edge does when what it warns of does not come. `edge_warnings`: what came of each warning;
`edge_evidence`: the sequential test; `edges`: which are withdrawn, since when and why.
"""
