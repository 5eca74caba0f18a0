"""Files exchanged between controller and advisor: bounded arrays, replaced atomically.

Each direction has a folder of its own, which the other side cannot write. Files are not mapped into
memory: a mapped file that its writer truncates kills its reader by a signal.
"""
