"""The parts of one decision, each a few pure functions of the moment: the market, exits, entries, the grid, cancels."""
