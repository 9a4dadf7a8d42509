"""Who writes: the audit columns of every row, and the identity that a database is bound to."""

import hashlib
from dataclasses import dataclass

from btcbot.domain.profiles import Role

VENUE = "btcturk"
OUTSIDE_CYCLES = "no-cycle"  # the cycle_id of what is written at start, at stop and by command


@dataclass(frozen=True, slots=True)
class Writer:
    """One process under one configuration."""

    role: Role
    instance_id: str
    config_hash: str
    build: str
    deployment_id: str
    account_fingerprint: str  # of the API key; never the key

    def arm_token_hash(self, db_uuid: str) -> str:
        """What an order was armed under: build, configuration, database and key (reliability 3.2)."""
        armed_under = f"{self.build}\n{self.config_hash}\n{db_uuid}\n{self.account_fingerprint}"
        return hashlib.sha256(armed_under.encode()).hexdigest()
