"""The monitor's read-only web page."""
