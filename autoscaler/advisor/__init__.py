"""The advisor: works out what follows from forecasts and dependencies, beside the controller.

It is a process of its own that may be killed at any time: the controller then goes on without its
advice. What takes long or much room is done here, and what the controller gets of it is bounded.
"""
