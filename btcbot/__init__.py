"""A trading bot for the spot pairs of BtcTurk: live decides and trades, the monitor watches and can never trade."""

__all__ = ["__version__"]

__version__ = "0.1.0"
