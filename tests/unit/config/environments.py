"""Environments that load, in a place of their own; a test spoils one thing and sees what is said."""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

API_KEY = "3e1b0c55-key-of-the-tests"
API_SECRET = "c2VjcmV0LW9mLXRoZS10ZXN0cw=="  # base64

LIMITS = {
    "BTCBOT_RISK_CURRENCY": "TRY",
    "BTCBOT_RISK_ORDER_NOTIONAL_MAX": "5000",
    "BTCBOT_RISK_ORDER_QUANTITY_MAX": "BTC:0.005,ETH:0.15",
    "BTCBOT_RISK_POSITION_NOTIONAL_MAX": "20000",
    "BTCBOT_RISK_EXPOSURE_MAX": "50000",
    "BTCBOT_RISK_DAY_LOSS_MAX": "2000",
    "BTCBOT_RISK_DRAWDOWN_RATIO_MAX": "0.10",
    "BTCBOT_RISK_COLLAR_RATIO_MAX": "0.02",
    "BTCBOT_RISK_SPREAD_RATIO_MAX": "0.02",
    "BTCBOT_RISK_JUMP_RATIO_MAX": "0.05",
    "BTCBOT_RISK_ENTRIES_PER_HOUR_MAX": "12",
    "BTCBOT_RISK_ENTRIES_PER_DAY_MAX": "240",
    "BTCBOT_RISK_ENTRY_COOLDOWN_SECONDS": "60",
    "BTCBOT_RISK_VOLATILITY_RATIO_MAX": "0.05",
    "BTCBOT_RISK_VOLATILITY_WINDOW_SECONDS": "60",
    "BTCBOT_RISK_VOLATILITY_PAUSE_SECONDS": "900",
    "BTCBOT_RISK_OPEN_ORDERS_PER_INSTRUMENT_MAX": "5",
    "BTCBOT_RISK_OPEN_ORDERS_MAX": "20",
    "BTCBOT_RISK_SUBMITS_PER_MINUTE_MAX": "30",
    "BTCBOT_RISK_SUBMITS_PER_SECOND_MAX": "2",
    "BTCBOT_RISK_BOOK_STILL_SECONDS_MAX": "300",
}


@dataclass(frozen=True, slots=True)
class Ground:
    """A directory with everything that settings look at."""

    root: Path

    @classmethod
    def prepared(cls, root: Path) -> "Ground":
        for name in ("live", "monitor", "run", "sandbox"):
            (root / name).mkdir(mode=0o700)
        ground = cls(root)
        ground.secret("live.key", API_KEY)
        ground.secret("live.secret", API_SECRET)
        ground.secret("clock_anchor", "2026-01-31T09:30:00Z\n")
        return ground

    def secret(self, name: str, text: str | bytes, mode: int = stat.S_IRUSR | stat.S_IWUSR) -> Path:
        path = self.root / "sandbox" / name
        path.unlink(missing_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "wb") as file:
            file.write(text.encode() if isinstance(text, str) else text)
        path.chmod(mode)
        return path

    def live(self, **changes: str | None) -> dict[str, str]:
        """The environment of a live worker; None takes a variable out."""
        common = self._common("live", "monitor")
        switches = {
            "LIVE_TRADING": "true",
            "LIVE_TRADING_ACK": "real orders on 127.0.0.1:18080",
            "SAFE_MODE": "false",
            "KILL_SWITCH": "false",
        }
        return _changed(common | switches | LIMITS, changes)

    def monitor(self, **changes: str | None) -> dict[str, str]:
        """The environment of a monitor."""
        common = self._common("monitor", "live")
        switches = {"LIVE_TRADING": "false", "LIVE_TRADING_ACK": "none", "SAFE_MODE": "true", "KILL_SWITCH": "true"}
        return _changed(common | switches, changes)

    def sandbox(self, **changes: str | None) -> dict[str, str]:
        """The environment of the local exchange."""
        return _changed({"BTCBOT_SANDBOX_DIR": str(self.root / "sandbox"), "BTCBOT_PAIRS": "BTCTRY,ETHTRY"}, changes)

    def _common(self, role: str, peer: str) -> dict[str, str]:
        return {
            "PATH": "/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "APP_ROLE": role,
            "STATE_DB_PATH": str(self.root / role / f"{role}.db"),
            "BTCBOT_PEER_STATE_DB_PATH": str(self.root / peer / f"{peer}.db"),
            "BTCBOT_RUN_DIR": str(self.root / "run"),
            "BTCBOT_DEPLOYMENT_ID": "TESTS",
            "BTCTURK_API_URL": "http://127.0.0.1:18080",
            "BTCTURK_GRAPH_URL": "http://127.0.0.1:18081",
            "BTCTURK_WS_URL": "ws://127.0.0.1:18082",
            "BTCTURK_API_KEY_FILE": str(self.root / "sandbox" / "live.key"),
            "BTCTURK_API_SECRET_FILE": str(self.root / "sandbox" / "live.secret"),
            "BTCBOT_PAIRS": "BTCTRY,ETHTRY",
        }


REAL_EXCHANGE = {
    "BTCTURK_API_URL": "https://api.btcturk.com",
    "BTCTURK_GRAPH_URL": "https://graph-api.btcturk.com",
    "BTCTURK_WS_URL": "wss://ws-feed-pro.btcturk.com",
}


def _changed(environ: dict[str, str], changes: dict[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in (environ | changes).items() if value is not None}
