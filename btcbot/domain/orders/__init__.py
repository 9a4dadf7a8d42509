"""An order's whole life: what was approved, what is durable, what the exchange said, and the one table of states."""
