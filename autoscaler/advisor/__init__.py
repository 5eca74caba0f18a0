"""The advisor: computes advice for the controller from forecasts and dependencies.

It is a process of its own that may be killed at any time: the controller then goes on by Knative's
rule. Work that takes much time or memory is done here, and what the controller reads is bounded.
"""
