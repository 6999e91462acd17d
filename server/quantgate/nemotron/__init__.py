"""Nemotron's two evaluation entry points: their YAML, env.toml and artifact references, compiled for the installed launcher."""
