"""The words of the house: instruments, money, orders and their life, fills, ledger, market, health, and the ports between rooms."""
