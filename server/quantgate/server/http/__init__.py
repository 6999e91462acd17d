"""The server over streamable HTTP, for clients on other machines or several at once.

address      where it listens, and which Host and Origin headers it answers
tokens       who may use it, and who may only read: a file of hashes, or a variable
limits       how much one client may send and hold
sessions     a share of the sessions for each holder
connections  those that say nothing are closed
app          both offers behind the tokens, as one ASGI application
serving      the process: refusals before it listens, and its end
"""
