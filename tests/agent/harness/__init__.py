"""Declared stand-ins for the harnesses whose data or containers cannot be had here, and for the model server that they ask.

They write the files of the real harnesses (layouts: tests/data/results, quantgate.results.readers) and ask the endpoint for real,
through nemo-evaluator and its adapter. The questions are invented. The trials test the agent, not the benchmark.
"""
