"""The pure matching venue: books, accounts, fees, latency, faults; no I/O."""
