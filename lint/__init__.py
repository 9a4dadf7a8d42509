"""The house rules that no ready-made linter knows: what a package may import, and which calls have one home only."""
