"""The BtcTurk client over REST and WebSocket: wire types, signing, limits, errors, mappers."""
