"""An order's whole life: what the gate approved, what the journal made durable, what the exchange said, and the one table of states."""
