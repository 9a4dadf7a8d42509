"""ccxt's asynchronous BtcTurk client, run by `orders.py` with the interpreter that has ccxt; nothing of btcbot here.

On each line with a number it sends as many orders, one after the other, and answers with the instants at which each
call began and ended, in nanoseconds of the monotonic clock that all processes share.
"""

import asyncio
import json
import sys
import time

import ccxt.async_support
from figures import pin

SYMBOL, QUANTITY, PRICE = "BTC/TRY", 0.001, 3_000_000


async def main(url: str, key: str, secret: str) -> None:
    exchange = ccxt.async_support.btcturk({"apiKey": key, "secret": secret, "enableRateLimit": False})
    exchange.urls["api"] = {"public": f"{url}/api/v2", "private": f"{url}/api/v1", "graph": f"{url}/v1"}
    try:
        await exchange.load_markets()
        print(json.dumps(ccxt.__version__), flush=True)
        for line in sys.stdin:
            print(json.dumps([await sent(exchange, place) for place in range(int(line))]), flush=True)
    finally:
        await exchange.close()


async def sent(exchange: ccxt.async_support.btcturk, place: int) -> tuple[int, int]:
    label = {"newOrderClientId": f"C-{place}"}  # by its right name: the far end asks for it
    began = time.perf_counter_ns()
    await exchange.create_order(SYMBOL, "limit", "buy", QUANTITY, PRICE, label)
    return began, time.perf_counter_ns()


if __name__ == "__main__":
    pin(0)
    asyncio.run(main(*sys.argv[1:4]))
