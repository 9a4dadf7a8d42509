"""btcbot from a checkout, under supervisord, without root: what `deploy/up` and with it `make run` do."""
