"""A run directory short enough for sockets, and an observer that remembers."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.observability.remembering import Remembering


@pytest.fixture
def observer() -> Remembering:
    return Remembering()


@pytest.fixture
def run_dir() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="bt", dir="/tmp"))
    yield path
    shutil.rmtree(path)
