"""Arguments, exit codes, and which service to start; no logic."""
