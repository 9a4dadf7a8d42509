"""The names in the run directory that several processes meet at (design, section 10)."""

CONTROL_SOCKET = "control.sock"
FEED_SOCKET = "feed.sock"
HEALTH_SOCKET = "health.sock"
