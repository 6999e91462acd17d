"""The worlds that agent trials are played in."""
