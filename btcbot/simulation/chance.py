"""Chance that can be asked for again: numbers that look random and are a function of their arguments."""

_MASK = (1 << 64) - 1


def chance(key: int, kind: int, index: int) -> int:
    """64 bits for the `index`-th throw of one kind under one key (the finalizer of splitmix64, twice)."""
    value = ((key + kind) * 0x9E3779B97F4A7C15 + index * 0xD1B54A32D192ED03) & _MASK
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK
    value ^= value >> 31
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    return value ^ (value >> 31)


def key_of(seed: int, name: str) -> int:
    """A key of its own for each seed and name."""
    return chance(seed, 0, sum(ord(letter) << (7 * place) for place, letter in enumerate(name)))
