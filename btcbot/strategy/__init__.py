"""Signals from market state, declared in a language that can only look back."""
