"""`python -m btcbot` is the `btcbot` command."""

from btcbot.cli.main import main

if __name__ == "__main__":
    main()
