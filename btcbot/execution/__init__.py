"""The only caller of order side effects."""
