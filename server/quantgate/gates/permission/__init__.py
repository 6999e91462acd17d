"""A person's yes, and the hosts that need none."""
