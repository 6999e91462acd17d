"""The log scan where the logs are: the same code runs here and, sent over the link, in the python3 of a cluster's login node.

So these modules need only the standard library of Python 3.6 and each other, and say nothing that is not JSON.
"""
