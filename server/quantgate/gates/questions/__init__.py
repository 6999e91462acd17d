"""What a person must say yes to before a plan is launched."""
