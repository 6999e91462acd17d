"""`quantgate install-skill`: the skills and the server's entry, where an agent's client reads them.

Nothing is written before everything has been looked at; what was written is recorded with its hash, so that a second run finds
nothing to do, a file that the user changed is never overwritten unasked, and `--uninstall` removes what is still as installed.
"""
