"""quantgate: evaluations of quantized models that can be trusted, as tools for an agent."""

__version__ = "0.1.0"
