"""The gate: approve or refuse, with typed reasons that carry their numbers."""
