"""Artifact references: `${art:model,path}` and `run.model: rl:latest` become a path. `resolver.Resolver` is the way in."""
