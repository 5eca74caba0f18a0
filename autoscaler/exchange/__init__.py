"""What controller and advisor hand each other: bounded arrays in files that are replaced whole.

Each direction has a folder of its own, which the other side cannot write. Nothing here is mapped
into memory: a file that its writer cuts short would kill whoever reads it.
"""
