"""Decides how many pods each revision has, and serves the API that explains why.

In the order in which data flows: `bundle` (forecasts are read) → `advisor` (they become advice) →
`exchange` (files to and from the controller) → `core` (pods wanted of every revision) →
`advisor.read_model` → `api`. `cli` finds the commands of all packages. Imports no other package.
"""

__version__ = "0.1.0"
