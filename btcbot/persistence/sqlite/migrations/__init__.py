"""Numbered schemas of both roles' databases. A number that was released never changes again."""
