"""Cost of the learner, on a `fleet` made up: `state` (a step, and features of a refresh), `refresh`
(its loop), `restart`, `shards` (a refresh by shards, at any number of services).
"""
