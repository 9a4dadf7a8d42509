"""A place with a path that is short enough for sockets."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.config.environments import Ground


@pytest.fixture
def ground() -> Iterator[Ground]:
    root = Path(tempfile.mkdtemp(prefix="btcbot-", dir="/tmp"))
    yield Ground.prepared(root)
    shutil.rmtree(root)
