"""History, backtest, optimisation, reports."""
