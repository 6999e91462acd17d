"""Hostile inputs by fuzzing: the same targets under a coverage-guided engine (atheris) and under hypothesis.

`targets/` is what untrusted input reaches, `watching` the property that holds everywhere, `mutation` how inputs are damaged
along their structure, `corpus/` what was found, kept as tests. `make fuzz MINUTES=10` is the campaign (`campaign`, `engine`),
`pytest tests/fuzz` takes seconds.
"""
