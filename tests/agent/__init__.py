"""Agent trials: a user, a world, the skill and three commands; what the agent did is graded by program."""
