"""The network face of the simulation: a local exchange that speaks BtcTurk's protocol."""
