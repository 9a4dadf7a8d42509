"""A foreign client behind a pipe, run by the interpreter of the environment that has it.

One JSON document a line. First comes `{"client": NAME, "api_url": …, "graph_url": …, "key": …, "secret": …}`, answered
when the client is built; then `{"call": METHOD, "args": […], "kwargs": {…}}`, one answer each. An answer is
`{"value": …}` or `{"error": NAME OF THE EXCEPTION, "message": …}`. Nothing of a client is changed but its base address.
"""

import asyncio
import atexit
import json
import sys


def ccxt_sync(hello):
    import ccxt

    client = ccxt.btcturk({"apiKey": hello["key"], "secret": hello["secret"]})
    client.urls["api"] = addresses(hello)
    return lambda name, args, kwargs: getattr(client, name)(*args, **kwargs)


def ccxt_async(hello):
    import ccxt.async_support as ccxt

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    client = ccxt.btcturk({"apiKey": hello["key"], "secret": hello["secret"], "asyncio_loop": loop})
    client.urls["api"] = addresses(hello)

    def call(name, args, kwargs):
        return loop.run_until_complete(getattr(client, name)(*args, **kwargs))

    atexit.register(call, "close", (), {})
    return call


def addresses(hello):
    return {
        "public": f"{hello['api_url']}/api/v2",
        "private": f"{hello['api_url']}/api/v1",
        "graph": f"{hello['graph_url']}/v1",
    }


def btcturk_api(hello):
    from btcturk_api.client import Client

    Client.API_BASE = hello["api_url"]
    client = Client(hello["key"], hello["secret"])  # asks for the pairs and the balances
    return lambda name, args, kwargs: getattr(client, name)(*args, **kwargs)


CLIENTS = {"ccxt": ccxt_sync, "ccxt-async": ccxt_async, "btcturk-api": btcturk_api}


def tell(answer):
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def attempted(work):
    """What a client did as an answer, whatever it was: which exception it raises is what a test looks at."""
    try:
        return {"value": work()}
    except Exception as error:  # noqa: BLE001 - that is the answer
        return {"error": type(error).__name__, "message": str(error)}


def main():
    hello = json.loads(sys.stdin.readline())
    call = None

    def build():
        nonlocal call
        call = CLIENTS[hello["client"]](hello)

    tell(attempted(build))
    for line in sys.stdin:
        asked = json.loads(line)
        tell(attempted(lambda: call(asked["call"], asked["args"], asked["kwargs"])))  # noqa: B023 - called at once


if __name__ == "__main__":
    main()
