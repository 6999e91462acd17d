"""The launcher config as a document: built, edited with comments kept, composed as NEL does, fingerprinted, linted (`lint/`)."""
