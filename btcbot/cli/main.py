"""The `btcbot` command: what can be said on the command line. What it does is imported only when it is asked for.

Exit codes are those of the design, section 6: click's 2 for a wrong usage becomes 64, because 2 is FAIL of `health`.
"""

import sys
from typing import Annotated, NoReturn

import typer

from btcbot import __version__
from btcbot.cli.endings import INTERRUPTED, OK, USAGE, complain, conclude


def _plain() -> typer.Typer:
    """No error boxes and no colours: what a person can read, a log can hold."""
    return typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)


app = _plain()
sandbox = _plain()
risk = _plain()
app.add_typer(sandbox, name="sandbox")
strategies = _plain()
app.add_typer(strategies, name="strategies")
app.add_typer(risk, name="risk")

StrategyName = Annotated[str, typer.Argument(metavar="NAME|MODULE:NAME", help="As BTCBOT_STRATEGY has it.")]
StrategyParamsText = Annotated[
    str | None, typer.Option("--params", metavar="JSON", help="As BTCBOT_STRATEGY_PARAMS; else its defaults.")
]
StrategyPath = Annotated[
    str | None, typer.Option("--path", metavar="DIR", help="Where your own are; else BTCBOT_STRATEGY_PATH.")
]
StrategyCurrency = Annotated[str, typer.Option("--currency", metavar="TRY|USDT", help="What pairs are quoted in.")]
StrategyInterval = Annotated[str, typer.Option("--interval", metavar="1m|...|4h", help="Length of a candle.")]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; kept in the journal.")]


@app.callback()
def btcbot() -> None:
    """A trading bot for the spot pairs of BtcTurk: live trades, the monitor watches and can never trade."""


@app.command()
def run(
    cycle_seconds: Annotated[
        str | None, typer.Option("--cycle-seconds", metavar="N", help="Overrides BTCBOT_CYCLE_SECONDS.")
    ] = None,
) -> int:
    """Trade: the live worker (APP_ROLE=live), until SIGTERM."""
    from btcbot.cli.workers import run_live

    return conclude(lambda desk: run_live(desk, cycle_seconds), "live", is_worker=True)


@app.command()
def health(
    watch: Annotated[bool, typer.Option("--watch", help="Keep watching: the monitor, until SIGTERM.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="The report as one line of JSON.")] = False,
) -> int:
    """Say how live and the exchange are (APP_ROLE=monitor); exits 0 OK, 1 WARN, 2 FAIL, 3 UNKNOWN."""
    if watch and as_json:
        complain("--json is for a single report, and --watch logs JSON anyway. Next: leave one of the two out.")
        return USAGE
    if watch:
        from btcbot.cli.workers import watch as keep_watching

        return conclude(keep_watching, "monitor", is_worker=True)
    from btcbot.cli.health import health_once

    return conclude(lambda desk: health_once(desk, as_json=as_json), "monitor", is_worker=False)


@app.command()
def check() -> int:
    """Make every start-up check of the role in APP_ROLE, and exit without starting."""
    from btcbot.cli.workers import check as check_role

    return conclude(check_role, "check", is_worker=True)


@app.command()
def halt(reason: Reason) -> int:
    """No submit at all from now on; cancels go on. Works when live hangs or is down."""
    from btcbot.cli.operator import halt as trip

    return conclude(lambda desk: trip(desk, reason), "operator", is_worker=False)


@app.command()
def pause(reason: Reason) -> int:
    """No new entries; exits and cancels go on."""
    from btcbot.cli.operator import ask

    return conclude(lambda desk: ask(desk, "pause", reason), "operator", is_worker=False)


@app.command()
def resume(reason: Reason) -> int:
    """Lift a pause or a halt, after live has reconciled."""
    from btcbot.cli.operator import ask

    return conclude(lambda desk: ask(desk, "resume", reason), "operator", is_worker=False)


@app.command()
def flatten(reason: Reason) -> int:
    """Cancel everything, sell what the bot holds within the collar, then halt. Coins that are not its own stay."""
    from btcbot.cli.operator import ask

    return conclude(lambda desk: ask(desk, "flatten", reason), "operator", is_worker=False)


@app.command()
def assign(
    asset: Annotated[str, typer.Argument(metavar="ASSET")],
    quantity: Annotated[str, typer.Argument(metavar="QUANTITY")],
    reason: Reason,
) -> int:
    """Give the bot coins that were in the account before: so much of ASSET counts as its position from now on."""
    from btcbot.cli.operator import ask

    return conclude(
        lambda desk: ask(desk, "assign", reason, asset=asset, quantity=quantity), "operator", is_worker=False
    )


@app.command()
def seal(order: Annotated[str, typer.Argument(metavar="ORDER")], reason: Reason) -> int:
    """Declare an unknown ORDER (id or label) absent: you looked, and the exchange never had it."""
    from btcbot.cli.operator import ask

    return conclude(lambda desk: ask(desk, "seal", reason, order=order), "operator", is_worker=False)


@sandbox.callback(invoke_without_command=True)
def serve_sandbox(
    context: typer.Context,
    mirror: Annotated[
        str | None, typer.Option("--mirror", metavar="URL", help="Show this exchange's market; overrides its settings.")
    ] = None,
    mirror_graph: Annotated[
        str | None, typer.Option("--mirror-graph", metavar="URL", help="Its candles; known for api.btcturk.com.")
    ] = None,
    mirror_ws: Annotated[
        str | None, typer.Option("--mirror-ws", metavar="URL", help="Its WebSocket; known for api.btcturk.com.")
    ] = None,
) -> int:
    """The local exchange: serve it until SIGTERM, `init` its directory, or list its `profiles`."""
    if context.invoked_subcommand is not None:
        return OK
    from btcbot.cli.sandbox import serve

    return conclude(lambda desk: serve(desk, mirror, mirror_graph, mirror_ws), "sandbox", is_worker=True)


@sandbox.command("init")
def init_sandbox(directory: Annotated[str, typer.Argument(metavar="DIR")]) -> int:
    """Make DIR with the sandbox's keys and clock anchor; what is there stays."""
    from btcbot.cli.sandbox import init

    return conclude(lambda desk: init(desk, directory), "sandbox", is_worker=False)


@sandbox.command("profiles")
def sandbox_profiles() -> int:
    """The venue profiles: each answers one open question about the exchange otherwise than `documented` does."""
    from btcbot.cli.sandbox import profiles

    return conclude(profiles, "sandbox", is_worker=False)


@app.command()
def record(
    directory: Annotated[str | None, typer.Option("--dir", metavar="DIR", help="Overrides BTCBOT_RECORD_DIR.")] = None,
    pairs: Annotated[str | None, typer.Option("--pairs", metavar="A,B", help="Overrides BTCBOT_PAIRS.")] = None,
    bytes_max: Annotated[
        str | None, typer.Option("--bytes-max", metavar="N", help="Overrides BTCBOT_RECORD_BYTES_MAX.")
    ] = None,
    hours: Annotated[
        str | None, typer.Option("--hours", metavar="N", help="End after so many hours; else at SIGTERM.")
    ] = None,
) -> int:
    """Write what the public feed says to compressed files that the sandbox can replay. Needs no key."""
    from btcbot.cli.record import record as keep_record

    return conclude(lambda desk: keep_record(desk, directory, pairs, bytes_max, hours), "recorder", is_worker=True)


@app.command()
def probe(
    pair: Annotated[
        str | None, typer.Option("--pair", metavar="PAIR", help="What to look at; the first of BTCBOT_PAIRS.")
    ] = None,
    seconds: Annotated[str, typer.Option("--seconds", metavar="N", help="How long to listen to the feed.")] = "20",
    public: Annotated[bool, typer.Option("--public", help="Ask nothing private, and take no lock.")] = False,
    with_amounts: Annotated[
        bool, typer.Option("--with-amounts", help="Show what the account holds; it is masked otherwise.")
    ] = False,
    place: Annotated[
        str | None,
        typer.Option(
            "--place-and-cancel",
            metavar="PAIR",
            help="Also place ONE far limit order of the smallest amount, and cancel it.",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The report as one line of JSON.")] = False,
) -> int:
    """Compare the exchange with what is known of it, by reading only; exits 0 as known, 1 when anything differs."""
    from btcbot.cli.probe import probe as look

    return conclude(
        lambda desk: look(desk, pair, seconds, place, is_public=public, with_amounts=with_amounts, as_json=as_json),
        "probe",
        is_worker=False,
    )


@app.command("backup")
def back_up() -> int:
    """Back up this role's database while its worker is stopped; a running worker takes its own backups."""
    from btcbot.cli.backup import backup

    return conclude(backup, "backup", is_worker=False)


@app.command("restore")
def restore_database(
    source: Annotated[str, typer.Option("--from", metavar="FILE", help="The backup.")],
    target: Annotated[
        str | None, typer.Option("--to", metavar="PATH", help="Says again where to: this role's STATE_DB_PATH.")
    ] = None,
    drill: Annotated[bool, typer.Option("--drill", help="Restore to a temporary place, examine, and forget.")] = False,
) -> int:
    """Put a backup in the place of this role's database, which is kept aside; live then starts halted."""
    from btcbot.cli.backup import restore

    return conclude(lambda desk: restore(desk, source, target, is_drill=drill), "restore", is_worker=False)


@app.command("verify")
def verify_database(
    path: Annotated[
        str | None, typer.Argument(metavar="[PATH]", help="The file; else this role's STATE_DB_PATH.")
    ] = None,
) -> int:
    """Examine a database file completely and say what is wrong with it; exits 0, 76 or 77. Writes nothing."""
    from btcbot.cli.verify import verify

    return conclude(lambda desk: verify(desk, path), "verify", is_worker=False)


@app.command()
def explain(
    word: Annotated[
        str, typer.Argument(metavar="ORDER|CYCLE", help="An order's id, label or exchange number; a cycle.")
    ],
    db: Annotated[str | None, typer.Option("--db", metavar="PATH", help="Else this role's STATE_DB_PATH.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As one line of JSON.")] = False,
) -> int:
    """Say why an order is what it is, or what a cycle came to: snapshot, signal, risk, journal, wire, fills."""
    from btcbot.cli.explain import explain as tell

    return conclude(lambda desk: tell(desk, word, db, as_json=as_json), "explain", is_worker=False)


@risk.callback(invoke_without_command=True)
def show_risk(
    context: typer.Context,
    db: Annotated[str | None, typer.Option("--db", metavar="PATH", help="Else this role's STATE_DB_PATH.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As one line of JSON.")] = False,
) -> int:
    """Say how far every limit is used and what would be refused now; `what-if` judges an order that nobody made."""
    if context.invoked_subcommand is not None:
        return OK
    from btcbot.cli.risk import risk as show

    return conclude(lambda desk: show(desk, db, as_json=as_json), "risk", is_worker=False)


@risk.command("what-if")
def judge_what_if(
    words: Annotated[
        list[str], typer.Argument(metavar="SIDE PAIR QUANTITY @ PRICE", help="As in: BUY BTCTRY 0.001 @ 2500000.")
    ],
    db: Annotated[str | None, typer.Option("--db", metavar="PATH", help="Else this role's STATE_DB_PATH.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As one line of JSON.")] = False,
) -> int:
    """Say what every rule of the gate makes of this order now; exits 0 approved, 1 refused. Nothing is sent."""
    from btcbot.cli.risk import what_if

    return conclude(lambda desk: what_if(desk, words, db, as_json=as_json), "risk", is_worker=False)


@app.command()
def replay(
    db: Annotated[str | None, typer.Option("--db", metavar="PATH", help="Else this role's STATE_DB_PATH.")] = None,
    begin: Annotated[
        str | None, typer.Option("--from", metavar="CYCLE", help="The first cycle; its id or number.")
    ] = None,
    end: Annotated[str | None, typer.Option("--to", metavar="CYCLE", help="The last cycle; its id or number.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As one line of JSON.")] = False,
) -> int:
    """Make the stored decisions again and compare them bit for bit; exits 0 when all are equal, 1 otherwise."""
    from btcbot.cli.replay import replay as decide_again

    return conclude(lambda desk: decide_again(desk, db, begin, end, as_json=as_json), "replay", is_worker=False)


@app.command()
def report(
    db: Annotated[str | None, typer.Option("--db", metavar="PATH", help="Else this role's STATE_DB_PATH.")] = None,
    by: Annotated[str, typer.Option("--by", metavar="pair|day|month|year", help="What a line stands for.")] = "pair",
    first: Annotated[
        str | None, typer.Option("--from", metavar="DATE", help="The first day, in Istanbul; else the very first.")
    ] = None,
    last: Annotated[str | None, typer.Option("--to", metavar="DATE", help="The last day; else until now.")] = None,
    method: Annotated[str, typer.Option("--method", metavar="fifo|average", help="Which coins a sale sells.")] = "fifo",
    tax_rate: Annotated[
        str, typer.Option("--tax-rate", metavar="R", help="A tax on sales beside what the exchange took: 0.0003.")
    ] = "0",
    rates: Annotated[
        str | None,
        typer.Option("--rates", metavar="FILE", help="USDT/TRY as lines of time,price; else the database's."),
    ] = None,
    csv: Annotated[
        str | None, typer.Option("--csv", metavar="FILE", help="Write a line a fill, for accounting.")
    ] = None,
    excel_tr: Annotated[
        bool, typer.Option("--excel-tr", help="The CSV with semicolons, decimal commas and a byte order mark.")
    ] = False,
    force: Annotated[bool, typer.Option("--force", help="Write over an existing CSV.")] = False,
    books: Annotated[bool, typer.Option("--books", help="Compare with the ledger even if it is very long.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As one line of JSON, exact.")] = False,
) -> int:
    """What trading earned after fees and tax, realised and open, in TRY and USDT; exits 1 if the books differ."""
    from btcbot.cli.report import Said
    from btcbot.cli.report import report as tell

    said = Said(db, by, first, last, method, tax_rate, rates, csv, excel_tr, force, books, as_json)
    return conclude(lambda desk: tell(desk, said), "report", is_worker=False)


@app.command()
def backtest(
    strategy: Annotated[str, typer.Argument(metavar="STRATEGY", help="Its name, as BTCBOT_STRATEGY has it.")],
    data: Annotated[
        list[str],
        typer.Option(
            "--data", metavar="[PAIR=]FILE", help="Recorded candles, CSV, plain or gzipped; again for more pairs."
        ),
    ],
    params: Annotated[
        str | None, typer.Option("--params", metavar="JSON", help="As BTCBOT_STRATEGY_PARAMS; else the shipped ones.")
    ] = None,
    path: StrategyPath = None,
    capital: Annotated[
        str, typer.Option("--capital", metavar="AMOUNT", help="What it begins with, in the currency of the pairs.")
    ] = "20000 TRY",
    limit: Annotated[
        list[str] | None,
        typer.Option("--limit", metavar="NAME=NUMBER", help="Instead of a shipped limit: order_notional_max=10000."),
    ] = None,
    rates: Annotated[
        str | None, typer.Option("--rates", metavar="FILE", help="What a dollar cost, by day: for the view in dollars.")
    ] = None,
    to_the_end: Annotated[
        bool, typer.Option("--to-the-end", help="No breaker halts: what the strategy does when nobody stops it.")
    ] = False,
    report: Annotated[
        str | None, typer.Option("--report", metavar="DIR", help="Also write a page with a plot there.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As one line of JSON.")] = False,
) -> int:
    """Try STRATEGY on recorded candles with live's own decisions and limits. Says what it lost and what it earned."""
    from btcbot.cli.backtest import Said
    from btcbot.cli.backtest import backtest as try_out

    said = Said(strategy, path, data, params, capital, limit or [], rates, to_the_end, report, as_json)
    return conclude(lambda desk: try_out(desk, said), "backtest", is_worker=False)


@strategies.callback(invoke_without_command=True)
def strategies_there_are(
    context: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="A line of JSON each.")] = False,
) -> int:
    """Which strategies there are; what one does, a first one of your own, and whether it is fit to trade."""
    if context.invoked_subcommand is not None:
        return OK
    from btcbot.cli.strategies import list_all

    return conclude(lambda desk: list_all(desk, as_json=as_json), "strategies", is_worker=False)


@strategies.command("show")
def show_strategy(
    name: StrategyName,
    params: StrategyParamsText = None,
    path: StrategyPath = None,
    currency: StrategyCurrency = "TRY",
    interval: StrategyInterval = "1m",
    as_json: Annotated[bool, typer.Option("--json", help="As one line of JSON.")] = False,
) -> int:
    """Its parameters with bounds, defaults and meaning, its warm-up, its expressions and its rules."""
    from btcbot.cli.strategies import Said, show

    said = Said(name, params, path, currency, interval, as_json)
    return conclude(lambda desk: show(desk, said), "strategies", is_worker=False)


@strategies.command("new")
def new_strategy(
    name: Annotated[str, typer.Argument(metavar="NAME", help="In a-z, 0-9 and _.")],
    path: StrategyPath = None,
) -> int:
    """Write a small strategy that works, with a test beside it; overwrites nothing."""
    from btcbot.cli.strategies import new

    return conclude(lambda desk: new(desk, name, path), "strategies", is_worker=False)


@strategies.command("check")
def check_strategy(
    name: StrategyName,
    params: StrategyParamsText = None,
    path: StrategyPath = None,
    currency: StrategyCurrency = "TRY",
    interval: StrategyInterval = "1m",
    as_json: Annotated[bool, typer.Option("--json", help="A line of JSON for each promise.")] = False,
) -> int:
    """Try what the bot leans on: purity, determinism, warm-up, streaming = batch, a run; exits 1 where one fails."""
    from btcbot.cli.strategies import Said, check

    said = Said(name, params, path, currency, interval, as_json)
    return conclude(lambda desk: check(desk, said), "strategies", is_worker=False)


@app.command()
def version() -> int:
    """Say which btcbot this is."""
    sys.stdout.write(f"btcbot {__version__}\n")
    return OK


def perform(arguments: list[str]) -> int:
    """Do what the arguments say and return the exit code."""
    try:
        code = app(arguments, prog_name="btcbot", standalone_mode=False)
    except typer.TyperException as error:
        # Every one of them is about the command line: an unknown command or option, a missing or malformed value.
        complain(f"{error.format_message().rstrip('.')}. Next: see btcbot --help.")
        return USAGE
    except typer.Abort:
        return INTERRUPTED
    return code if isinstance(code, int) else OK


def main() -> NoReturn:
    """The entry point of the `btcbot` program."""
    # A terminal that cannot write a letter gets its escape, not a traceback.
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    sys.exit(perform(sys.argv[1:]))
