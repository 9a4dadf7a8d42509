"""Books, candles and their freshness, as normalised snapshots."""
