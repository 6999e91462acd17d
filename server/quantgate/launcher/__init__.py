"""The door to NEL, and the process executor: everything that imports the launcher does so in a child process."""
