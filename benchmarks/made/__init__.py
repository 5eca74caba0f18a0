"""Made workloads: traffic with documented laws and seeds, all of it synthetic.

`processes` are the laws of when one service is called, `call_chains` those of services that call
each other; `families` puts them into workloads by name, with what else changes in each (start-up,
edges), as `traffic`. `commands` writes one to a file.
"""
