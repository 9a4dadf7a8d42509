"""Use cases: they wire the rooms together and own every transaction."""
