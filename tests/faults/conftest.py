"""A place without a disk for what is killed in this process."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    """In memory where the machine has such a place: a simulated kill needs no disk, and fsync is most of the time."""
    memory = Path("/dev/shm")
    if not memory.is_dir():
        yield tmp_path
        return
    path = Path(tempfile.mkdtemp(prefix="btcbot-", dir=memory))
    yield path
    shutil.rmtree(path)
