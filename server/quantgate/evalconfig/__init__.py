"""The launcher config as a document: read, edited with its comments kept, composed as NEL composes it, and linted."""
