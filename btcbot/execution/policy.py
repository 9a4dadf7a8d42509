"""Armed, or not, at this very moment (design, section 4). Asked immediately before every submit."""

from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

from btcbot.domain.errors import TradeBlockedError
from btcbot.domain.profiles import LiveProfile, Role


class TradingArmedPolicy:
    """Settings say whether this worker may ever trade; `blocked_by` says what forbids it right now."""

    def __init__(self, profile: LiveProfile, blocked_by: Callable[[], str | None]) -> None:
        self._profile = profile
        self._blocked_by = blocked_by

    def require_armed(self) -> None:
        """Raises `TradeBlockedError` with every reason. No input or output happens here, and none may before it."""
        blocks = self.blocks()
        if blocks:
            raise TradeBlockedError("; ".join(blocks))

    def blocks(self) -> tuple[str, ...]:
        """Everything that forbids a submit now; empty means armed."""
        return tuple(self._reasons())

    def _reasons(self) -> Iterator[str]:
        common = self._profile.common
        if common.role is not Role.LIVE:
            yield f"the role is {common.role}"
        if not common.live_trading:
            yield "LIVE_TRADING is false"
        host = urlsplit(common.endpoints.api_url).netloc
        if self._profile.acknowledged_host != host:
            yield f"real orders on {host} are not acknowledged"
        if common.safe_mode:
            yield "SAFE_MODE is on"
        if common.kill_switch:
            yield "KILL_SWITCH is on"
        blocked = self._blocked_by()
        if blocked is not None:
            yield blocked
