"""The login to the feed (protocol 10.5): only the nonce is signed, a window in milliseconds around the stamp."""

from collections.abc import Iterable, Mapping

from btcbot.sandbox.admission import Caller
from btcbot.sandbox.desk import Desk
from btcbot.sandbox.faults import FaultName
from btcbot.sandbox.feed_connection import Connection
from btcbot.sandbox.feed_faults import FeedFaults
from btcbot.sandbox.floor import Floor
from btcbot.sandbox.profiles import VenueProfile
from btcbot.sandbox.wire import encode


class Logins:
    def __init__(self, floor: Floor, desk: Desk, faults: FeedFaults, profile: VenueProfile) -> None:
        self._floor = floor
        self._desk = desk
        self._faults = faults
        self._profile = profile

    def answer(self, connection: Connection, others: Iterable[Connection], body: Mapping[str, object]) -> str:
        """Let the connection in, or say why not."""
        caller = self._caller(connection, others, body)
        if isinstance(caller, str):
            return encode([114, {"type": 114, "ok": False, "id": 0, "message": f"Unauthorized - {caller}"}])
        connection.account_id, connection.key_name = caller.account_id, caller.key.name
        connection.public_key = caller.key.public
        return encode([114, {"type": 114, "id": caller.account_id, "ok": True, "message": None}])

    def _caller(self, connection: Connection, others: Iterable[Connection], body: Mapping[str, object]) -> Caller | str:
        public, stamp, nonce, signature = (body.get(name) for name in ("publicKey", "timestamp", "nonce", "signature"))
        if not isinstance(public, str) or not self._desk.has_key(public):
            return "Invalid Public key"
        if not isinstance(stamp, int) or not isinstance(nonce, int):
            return "Invalid Nonce"
        if nonce > self._profile.login_nonce_max_ms or abs(self._floor.now_ms() - stamp) > nonce:
            return "Invalid Request"
        caller = self._desk.is_known(public, f"{public}{nonce}", str(signature))
        if caller is None:
            return "Invalid Signature"
        if not caller.key.permits("login"):
            return "Invalid Request"
        elsewhere = sum(1 for other in others if other is not connection and other.public_key == public)
        if self._profile.logins_per_key_max is not None and elsewhere >= self._profile.logins_per_key_max:
            return "Invalid Request"
        facts = {"endpoint": "feed", "key": caller.key.name}
        if self._faults and self._faults.strike(FaultName.LOGIN_REFUSED, facts):
            return "Invalid Request"
        return caller
