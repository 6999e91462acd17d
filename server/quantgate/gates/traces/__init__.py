"""Which runs there are, and what a launch, a resume or a cancellation left: ledger, NEL's record, disk and cluster together."""
