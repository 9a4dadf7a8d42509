"""The strategies that ship: small, honest examples. None of them is advice, and each can lose money."""
