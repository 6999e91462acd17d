"""The door to clusters: SSH, SFTP and the scheduler's own words. Nothing else opens a connection to another machine's shell."""
