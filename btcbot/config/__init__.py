"""What the environment says, validated once and passed down as frozen profiles."""
