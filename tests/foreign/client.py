"""The near end of the pipe to a foreign client."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.foreign.exchange import ForeignExchange

CHECKOUT = Path(__file__).resolve().parents[2]
PEERS = CHECKOUT / ".venv-peers"
DRIVER = Path(__file__).with_name("driver.py")


class Failed(Exception):
    """The client raised: `name` is the class of its exception."""

    def __init__(self, name: str, message: str) -> None:
        super().__init__(f"{name}: {message}")
        self.name = name
        self.message = message


class ForeignClient:
    """`client.fetch_balance()` calls the method of that name over there; arguments and values are JSON."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def ask(self, document: object) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(document) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        assert line, f"the driver ended with {self._process.wait(10)}"
        answer = json.loads(line)
        if "error" in answer:
            raise Failed(answer["error"], answer["message"])
        return answer["value"]

    def __getattr__(self, name: str) -> Any:
        return lambda *args, **kwargs: self.ask({"call": name, "args": args, "kwargs": kwargs})


@contextmanager
def foreign_client(name: str, exchange: ForeignExchange, **credentials: str) -> Iterator[ForeignClient]:
    """A client of that name, talking to this exchange with live's key unless another one is given."""
    interpreter = PEERS / "bin" / "python"
    if not interpreter.exists():
        pytest.fail(f"foreign clients live in {PEERS.name}, which is missing: run `make {PEERS.name}/.installed`")
    hello = {"client": name, "api_url": exchange.api_url, "graph_url": exchange.graph_url}
    with subprocess.Popen(
        [interpreter, DRIVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8",
        env={"PATH": os.defpath, "PYTHONDONTWRITEBYTECODE": "1"}, cwd=exchange.directory,
    ) as process:  # fmt: skip
        client = ForeignClient(process)
        try:
            client.ask(hello | (credentials or exchange.credentials()))
            yield client
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(10)
