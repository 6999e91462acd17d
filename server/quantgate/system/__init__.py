"""What differs between Linux, macOS and Windows: the only room that may ask which of them this is, or use what only some have.

`runs/scanner` has a door of its own (`scanner/reading.py`), because it also runs alone on a login node.
"""
