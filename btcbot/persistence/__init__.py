"""What must survive: the journal, its ownership and its lock."""
