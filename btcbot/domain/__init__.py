"""The words of the house: money, instruments, orders and their life, ledger, market, health, ports between rooms."""
