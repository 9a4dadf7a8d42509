"""Every variable but the secrets, in sections of what belongs together: its form, its default, and what it is for.

Each section is checked as a whole, and each on its own, so that one start names every mistake. A variable without a
default is required: a missing limit is an error, not infinity.
"""

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, ClassVar, Self

from pydantic import Field, PlainValidator, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from btcbot.config.forms import (
    Form,
    Misfit,
    absolute_path,
    boolean,
    count,
    decimal,
    exactly,
    matching,
    member_of,
    one_of,
    pairs,
    port,
    quantities,
    seconds,
    strategy_name,
    strategy_params,
    texts,
    zone,
)
from btcbot.domain.profiles import ChangedStart, OnShutdown, Role, Sealing

CANDLE_SECONDS = {"1m": 60, "5m": 300, "15m": 900, "30m": 1800, "1h": 3600, "4h": 14400}

# The smallest limit is one step of the finest asset, the largest is far beyond any account: both only catch slips.
_LIMIT = decimal("0.00000001", "1000000000000")

_NEVER = "for the monitor, which never trades"

Pairs = Annotated[tuple[str, ...], PlainValidator(pairs())]
AbsolutePath = Annotated[Path, PlainValidator(absolute_path())]
Boolean = Annotated[bool, PlainValidator(boolean())]
Limit = Annotated[Decimal, PlainValidator(_LIMIT)]
Port = Annotated[int, PlainValidator(port())]
DeploymentId = Annotated[str, PlainValidator(matching("[A-Z0-9]{2,8}", "2 to 8 characters of A-Z and 0-9"))]
Currency = Annotated[str, PlainValidator(matching("[A-Z0-9]{2,10}", "the code of an asset, in A-Z and 0-9"))]
MaybePath = Annotated[Path | None, PlainValidator(absolute_path())]
MaybePort = Annotated[int | None, PlainValidator(port())]


class Section(BaseSettings):
    """A few variables that are judged together.

    Of pydantic-settings' sources only one is left: the mapping that is handed over. No dotenv file, no folder of
    secrets, no look at the process's environment behind the loader's back.
    """

    title: ClassVar[str]  # its heading in the reference

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", case_sensitive=True, hide_input_in_errors=True, validate_default=False
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        del settings_cls, env_settings, dotenv_settings, file_secret_settings  # every source but the first
        return (init_settings,)

    @classmethod
    def variables(cls) -> tuple[str, ...]:
        return tuple(field.alias for field in cls.model_fields.values() if field.alias is not None)

    @classmethod
    def variable_of(cls, field: str) -> str:
        return cls.model_fields[field].alias or field

    def by_variable(self) -> dict[str, object]:
        """Every effective value under the name of its variable."""
        kind = type(self)
        return {kind.variable_of(name): value for name, value in self}

    @classmethod
    def read(cls, environ: Mapping[str, str], problems: list[str]) -> Self | None:
        """The section, or None and its problems added to the list. No problem repeats a value."""
        try:
            return cls.model_validate({name: environ[name] for name in cls.variables() if name in environ})
        except ValidationError as error:
            for found in error.errors(include_url=False, include_input=False):
                name = f"{found['loc'][0]} " if found["loc"] else ""
                what = (
                    "is not set" if found["type"] == "missing" else str(found.get("ctx", {}).get("error", found["msg"]))
                )
                problems.append(f"{name}{what}")
            return None


def form_of(section: type[Section], field: str) -> Form[object]:
    """How a variable is written."""
    for metadata in section.model_fields[field].metadata:
        if isinstance(metadata, PlainValidator) and isinstance(metadata.func, Form):
            return metadata.func
    raise AssertionError(f"{section.__name__}.{field} has no form")


class Switches(Section):
    """Who this process is, and whether it may trade."""

    title: ClassVar[str] = "Role and switches"

    role: Annotated[Role, PlainValidator(member_of(Role))] = Field(
        alias="APP_ROLE", description="Which of the two processes this is."
    )
    live_trading: Boolean = Field(
        alias="LIVE_TRADING", description="`true` for live, `false` for the monitor; anything else does not start."
    )
    live_trading_ack: Annotated[str, PlainValidator(matching(r"[ -~]{1,300}", "a line of plain text"))] = Field(
        alias="LIVE_TRADING_ACK",
        description="Live: exactly `real orders on HOST[:PORT]`, with host and port as BTCTURK_API_URL has them. "
        "Monitor: exactly `none`.",
    )
    safe_mode: Boolean = Field(
        alias="SAFE_MODE",
        description="`true`: live reads and cancels, and refuses every submit. Always `true` for the monitor.",
    )
    kill_switch: Boolean = Field(
        alias="KILL_SWITCH",
        description="`true`: no submit at all, at once; cancels go on. Always `true` for the monitor.",
    )


class LiveSwitches(Switches):
    """Live trades when it is told so in as many words; the other two switches are the operator's."""

    live_trading: Annotated[
        bool, PlainValidator(exactly(True, "for live; SAFE_MODE or KILL_SWITCH keep it from sending"))
    ] = Field(alias="LIVE_TRADING")


class MonitorSwitches(Switches):
    """The monitor never trades, and says so with every switch: an absent one is not a safe one."""

    live_trading: Annotated[bool, PlainValidator(exactly(False, _NEVER))] = Field(alias="LIVE_TRADING")
    live_trading_ack: Annotated[str, PlainValidator(matching("none", f"exactly none ({_NEVER})"))] = Field(
        alias="LIVE_TRADING_ACK"
    )
    safe_mode: Annotated[bool, PlainValidator(exactly(True, _NEVER))] = Field(alias="SAFE_MODE")
    kill_switch: Annotated[bool, PlainValidator(exactly(True, _NEVER))] = Field(alias="KILL_SWITCH")


class Places(Section):
    """Where this process keeps its state."""

    title: ClassVar[str] = "Places"

    state_db_path: AbsolutePath = Field(
        alias="STATE_DB_PATH",
        description="This role's own database. Its directory must exist; neither may be a symbolic link.",
    )
    peer_state_db_path: AbsolutePath = Field(
        alias="BTCBOT_PEER_STATE_DB_PATH",
        description="The other role's database: never opened, it may not exist yet, and it must be another file.",
    )
    deployment_id: DeploymentId = Field(
        alias="BTCBOT_DEPLOYMENT_ID",
        description="Part of every order's label: two deployments on one account need two. The same for both roles.",
    )


class RunDir(Section):
    """Where the two roles and the operator meet."""

    title: ClassVar[str] = "Run directory"

    run_dir: AbsolutePath = Field(
        alias="BTCBOT_RUN_DIR",
        description="The existing directory of status feed, control socket and halt file; the same for both roles.",
    )


class Market(Section):
    """What is looked at, and how old it may be."""

    title: ClassVar[str] = "Market and cycle"

    pairs: Pairs = Field(alias="BTCBOT_PAIRS", description="What is traded and watched.")
    candle_interval: Annotated[str, PlainValidator(one_of(*CANDLE_SECONDS))] = Field(
        "1m", alias="BTCBOT_CANDLE_INTERVAL", description="Length of a candle."
    )
    cycle_seconds: Annotated[Decimal, PlainValidator(seconds("0.1", "3600"))] = Field(
        Decimal(5),
        alias="BTCBOT_CYCLE_SECONDS",
        description="From the start of a cycle to the next; `--cycle-seconds` overrides it.",
    )
    market_age_seconds_max: Annotated[Decimal, PlainValidator(seconds("0.5", "300"))] = Field(
        Decimal(10), alias="BTCBOT_MARKET_AGE_SECONDS_MAX", description="Older market data is no market data."
    )
    clock_offset_seconds_max: Annotated[Decimal, PlainValidator(seconds("0.1", "5"))] = Field(
        Decimal("2.5"),
        alias="BTCBOT_CLOCK_OFFSET_SECONDS_MAX",
        description="A larger difference to the exchange's clock halts; the exchange refuses stamps 5 s off.",
    )


class ClockRate(Section):
    """How fast time runs."""

    title: ClassVar[str] = "Clock"

    rate: Annotated[Decimal, PlainValidator(decimal("1", "60"))] = Field(
        Decimal(1),
        alias="BTCBOT_CLOCK_RATE",
        description="Seconds of btcbot's time per real second. Anything but 1 needs loopback endpoints. "
        "The same in all processes.",
    )
    anchor_file: MaybePath = Field(
        None,
        alias="BTCBOT_CLOCK_ANCHOR_FILE",
        description="The file with the instant at which btcbot's time and real time agree; set exactly when the rate "
        "is not 1. `btcbot sandbox init` makes it.",
    )

    @model_validator(mode="after")
    def _anchored_when_scaled(self) -> Self:
        if self.rate != 1 and self.anchor_file is None:
            raise Misfit("BTCBOT_CLOCK_ANCHOR_FILE is not set, and a BTCBOT_CLOCK_RATE other than 1 needs it")
        if self.rate == 1 and self.anchor_file is not None:
            raise Misfit("BTCBOT_CLOCK_ANCHOR_FILE has no meaning while BTCBOT_CLOCK_RATE is 1: remove one of the two")
        return self


class Logs(Section):
    """What is said."""

    title: ClassVar[str] = "Logs"

    log_level: Annotated[str, PlainValidator(one_of("DEBUG", "INFO", "WARNING", "ERROR"))] = Field(
        "INFO", alias="BTCBOT_LOG_LEVEL", description="The least grave line that is written."
    )


class Metrics(Section):
    """Where a worker's figures can be read."""

    title: ClassVar[str] = "Metrics"

    metrics_port: MaybePort = Field(
        None, alias="BTCBOT_METRICS_PORT", description="Prometheus metrics on this loopback port."
    )


class Dashboard(Section):
    """The monitor's page."""

    title: ClassVar[str] = "Dashboard"

    dashboard_port: MaybePort = Field(
        None, alias="BTCBOT_DASHBOARD_PORT", description="The read-only web page on this loopback port."
    )


class StrategySection(Section):
    """Who says what to buy and to sell."""

    title: ClassVar[str] = "Strategy"

    strategy: Annotated[str, PlainValidator(strategy_name())] = Field(
        "ema_cross", alias="BTCBOT_STRATEGY", description="Which strategy runs."
    )
    path: MaybePath = Field(
        None,
        alias="BTCBOT_STRATEGY_PATH",
        description="The directory of your own strategies: MODULE:NAME is NAME in its MODULE.py. It belongs to this "
        "user or root, and nobody else may write to it or to what it lies in.",
    )
    params: Annotated[tuple[tuple[str, str], ...], PlainValidator(strategy_params())] = Field(
        (),
        alias="BTCBOT_STRATEGY_PARAMS",
        description="Its parameters; those left out have the strategy's own defaults.",
    )
    default_stop_ratio: Annotated[Decimal, PlainValidator(decimal("0.001", "0.9"))] = Field(
        Decimal("0.2"),
        alias="BTCBOT_DEFAULT_STOP_RATIO",
        description="A position for which the strategy declares no stop is left when the bid is this far below its "
        "average cost; also one that another strategy opened.",
    )


class Limits(Section):
    """What the gate allows. Amounts are in the risk currency, ratios are fractions."""

    title: ClassVar[str] = "Risk limits"

    currency: Currency = Field(
        alias="BTCBOT_RISK_CURRENCY",
        description="What all amounts below are counted in; every pair must be quoted in it.",
    )
    order_notional_max: Limit = Field(alias="BTCBOT_RISK_ORDER_NOTIONAL_MAX", description="One order.")
    order_quantities_max: Annotated[tuple[tuple[str, Decimal], ...], PlainValidator(quantities())] = Field(
        alias="BTCBOT_RISK_ORDER_QUANTITY_MAX",
        description="One order, counted in the asset that is traded: one number for every asset of BTCBOT_PAIRS.",
    )
    position_notional_max: Limit = Field(
        alias="BTCBOT_RISK_POSITION_NOTIONAL_MAX", description="One instrument: position at mark plus open buys."
    )
    exposure_max: Limit = Field(alias="BTCBOT_RISK_EXPOSURE_MAX", description="All instruments together.")
    day_loss_max: Limit = Field(
        alias="BTCBOT_RISK_DAY_LOSS_MAX", description="Loss since the trading day began; more halts."
    )
    drawdown_ratio_max: Annotated[Decimal, PlainValidator(decimal("0.001", "0.5"))] = Field(
        alias="BTCBOT_RISK_DRAWDOWN_RATIO_MAX", description="Fall of equity from its peak; more halts."
    )
    collar_ratio_max: Annotated[Decimal, PlainValidator(decimal("0.0001", "0.2"))] = Field(
        alias="BTCBOT_RISK_COLLAR_RATIO_MAX", description="Price of an order against the reference price."
    )
    spread_ratio_max: Annotated[Decimal, PlainValidator(decimal("0.0001", "0.2"))] = Field(
        alias="BTCBOT_RISK_SPREAD_RATIO_MAX", description="Best ask against best bid."
    )
    jump_ratio_max: Annotated[Decimal, PlainValidator(decimal("0.0001", "0.5"))] = Field(
        alias="BTCBOT_RISK_JUMP_RATIO_MAX", description="One snapshot's price against the one before."
    )
    entries_per_hour_max: Annotated[int, PlainValidator(count(1, 3600))] = Field(
        alias="BTCBOT_RISK_ENTRIES_PER_HOUR_MAX", description="Entries per instrument in any hour."
    )
    entries_per_day_max: Annotated[int, PlainValidator(count(1, 86400))] = Field(
        alias="BTCBOT_RISK_ENTRIES_PER_DAY_MAX",
        description="Entries per instrument in a trading day; one more pauses all entries until `btcbot resume`.",
    )
    entry_cooldown_seconds: Annotated[Decimal, PlainValidator(seconds("0", "86400"))] = Field(
        alias="BTCBOT_RISK_ENTRY_COOLDOWN_SECONDS", description="Between two entries of one instrument."
    )
    volatility_ratio_max: Annotated[Decimal, PlainValidator(decimal("0.0001", "0.5"))] = Field(
        alias="BTCBOT_RISK_VOLATILITY_RATIO_MAX", description="A larger move within the window pauses entries."
    )
    volatility_window_seconds: Annotated[Decimal, PlainValidator(seconds("1", "3600"))] = Field(
        alias="BTCBOT_RISK_VOLATILITY_WINDOW_SECONDS", description="The window of that move."
    )
    volatility_pause_seconds: Annotated[Decimal, PlainValidator(seconds("1", "86400"))] = Field(
        alias="BTCBOT_RISK_VOLATILITY_PAUSE_SECONDS", description="How long entries then pause."
    )
    open_orders_per_instrument_max: Annotated[int, PlainValidator(count(1, 100))] = Field(
        alias="BTCBOT_RISK_OPEN_ORDERS_PER_INSTRUMENT_MAX",
        description="Orders of one instrument that work at one time.",
    )
    open_orders_max: Annotated[int, PlainValidator(count(1, 500))] = Field(
        alias="BTCBOT_RISK_OPEN_ORDERS_MAX", description="Orders that work at one time."
    )
    submits_per_minute_max: Annotated[int, PlainValidator(count(1, 300))] = Field(
        alias="BTCBOT_RISK_SUBMITS_PER_MINUTE_MAX",
        description="Orders sent in any minute; the exchange itself takes 300.",
    )

    submits_per_second_max: Annotated[int, PlainValidator(count(1, 10))] = Field(
        alias="BTCBOT_RISK_SUBMITS_PER_SECOND_MAX",
        description="Orders sent in any second; the exchange itself takes 10.",
    )
    book_still_seconds_max: Annotated[Decimal, PlainValidator(seconds("1", "86400"))] = Field(
        alias="BTCBOT_RISK_BOOK_STILL_SECONDS_MAX",
        description="A book that shows no change for longer stops entries of its instrument.",
    )
    ramp_up_seconds: Annotated[Decimal | None, PlainValidator(seconds("1", "2592000"))] = Field(
        None,
        alias="BTCBOT_RISK_RAMP_UP_SECONDS",
        description="For so long after btcbot or its configuration changed, the caps on orders, positions and exposure "
        "are only BTCBOT_RISK_RAMP_UP_RATIO of themselves. Off unless both are set.",
    )
    ramp_up_ratio: Annotated[Decimal | None, PlainValidator(decimal("0.001", "0.999"))] = Field(
        None, alias="BTCBOT_RISK_RAMP_UP_RATIO", description="What is left of the caps meanwhile, as a fraction."
    )

    @model_validator(mode="after")
    def _ramp_up_is_whole(self) -> Self:
        if (self.ramp_up_seconds is None) is not (self.ramp_up_ratio is None):
            raise Misfit("BTCBOT_RISK_RAMP_UP_SECONDS and BTCBOT_RISK_RAMP_UP_RATIO are set both, or neither")
        return self

    @model_validator(mode="after")
    def _do_not_contradict(self) -> Self:
        contradictions = [
            f"{smaller} is larger than {larger}"
            for smaller, larger, holds in (
                (
                    "BTCBOT_RISK_ORDER_NOTIONAL_MAX",
                    "BTCBOT_RISK_POSITION_NOTIONAL_MAX",
                    self.order_notional_max <= self.position_notional_max,
                ),
                (
                    "BTCBOT_RISK_POSITION_NOTIONAL_MAX",
                    "BTCBOT_RISK_EXPOSURE_MAX",
                    self.position_notional_max <= self.exposure_max,
                ),
                # A price this far off would be a jump if the market itself showed it.
                (
                    "BTCBOT_RISK_COLLAR_RATIO_MAX",
                    "BTCBOT_RISK_JUMP_RATIO_MAX",
                    self.collar_ratio_max <= self.jump_ratio_max,
                ),
                (
                    "BTCBOT_RISK_OPEN_ORDERS_PER_INSTRUMENT_MAX",
                    "BTCBOT_RISK_OPEN_ORDERS_MAX",
                    self.open_orders_per_instrument_max <= self.open_orders_max,
                ),
                (
                    "BTCBOT_RISK_ENTRIES_PER_HOUR_MAX",
                    "BTCBOT_RISK_ENTRIES_PER_DAY_MAX",
                    self.entries_per_hour_max <= self.entries_per_day_max,
                ),
                (
                    "BTCBOT_RISK_SUBMITS_PER_SECOND_MAX",
                    "BTCBOT_RISK_SUBMITS_PER_MINUTE_MAX",
                    self.submits_per_second_max <= self.submits_per_minute_max,
                ),
            )
            if not holds
        ]
        if contradictions:
            raise Misfit(f"limits contradict each other: {texts(contradictions)}")
        return self


class Orders(Section):
    """The life of an order, and of the process that sends it."""

    title: ClassVar[str] = "Orders and process"

    trading_day_zone: Annotated[str, PlainValidator(zone())] = Field(
        "Europe/Istanbul", alias="BTCBOT_TRADING_DAY_ZONE", description="Whose midnight begins the trading day."
    )
    order_age_seconds_max: Annotated[Decimal, PlainValidator(seconds("1", "86400"))] = Field(
        Decimal(60), alias="BTCBOT_ORDER_AGE_SECONDS_MAX", description="An order of ours that works longer is canceled."
    )
    submit_timeout_seconds: Annotated[Decimal, PlainValidator(seconds("1", "60"))] = Field(
        Decimal(15),
        alias="BTCBOT_SUBMIT_TIMEOUT_SECONDS",
        description="Silence for this long after a submit makes the order unknown; it is never sent again.",
    )
    seal: Annotated[Sealing, PlainValidator(member_of(Sealing))] = Field(
        Sealing.AUTOMATIC,
        alias="BTCBOT_SEAL",
        description="Whether proof of absence closes an unknown order by itself, or a person does.",
    )
    seal_quiet_seconds: Annotated[Decimal, PlainValidator(seconds("60", "86400"))] = Field(
        Decimal(900),
        alias="BTCBOT_SEAL_QUIET_SECONDS",
        description="How long an unknown order must be silent before that.",
    )
    on_shutdown: Annotated[OnShutdown, PlainValidator(member_of(OnShutdown))] = Field(
        OnShutdown.CANCEL, alias="BTCBOT_ON_SHUTDOWN", description="What becomes of open orders when live is stopped."
    )
    changed_start: Annotated[ChangedStart, PlainValidator(member_of(ChangedStart))] = Field(
        ChangedStart.PAUSED,
        alias="BTCBOT_CHANGED_START",
        description="A start with another build or other settings than were last resumed under; never on loopback.",
    )
    crash_loop_starts_max: Annotated[int, PlainValidator(count(1, 1000))] = Field(
        5, alias="BTCBOT_CRASH_LOOP_STARTS_MAX", description="This many starts within the window latch a halt."
    )
    crash_loop_window_seconds: Annotated[Decimal, PlainValidator(seconds("10", "86400"))] = Field(
        Decimal(600), alias="BTCBOT_CRASH_LOOP_WINDOW_SECONDS", description="The window of those starts."
    )
    reconcile_seconds: Annotated[Decimal, PlainValidator(seconds("5", "3600"))] = Field(
        Decimal(60), alias="BTCBOT_RECONCILE_SECONDS", description="Our records against the exchange's, this often."
    )

    @model_validator(mode="after")
    def _an_answer_comes_before_old_age(self) -> Self:
        if self.submit_timeout_seconds > self.order_age_seconds_max:
            raise Misfit("BTCBOT_SUBMIT_TIMEOUT_SECONDS is larger than BTCBOT_ORDER_AGE_SECONDS_MAX")
        return self
