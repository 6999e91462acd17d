"""The record of passed gates (`ledger/`) and the conditions for a launch. A room imports from those below it only.

resume       what an invocation did not finish
cancel       the end of a run, with everything it started
launches     dry run, canary and full run, each started once
views        what tools are told of runs
judgement    what a run is and did, and whether a finished canary passes
traces       which runs there are, and what launches left of themselves
questions    what a person must say yes to before a plan is launched
planning     what a launch would do, and NEL's dry run of it
permission   a person's yes, and the hosts that need none
ledger       gates, launches and resumes, written down
"""
