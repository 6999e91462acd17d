"""The record of passed gates (`ledger/`) and the conditions for a launch.

permission   a person's yes
planning     what a launch would do, and NEL's dry run of it
launches     dry run, canary and full run, each started once
judgement    whether a finished canary passes
cancel       the end of a run, with everything it started
resume       what an invocation did not finish
views        what tools are told of runs
"""
