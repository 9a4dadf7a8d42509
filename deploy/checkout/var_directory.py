"""Writing `var/`: directories, environment files with the options applied, supervisord's configuration, keys.

What a person edited and what processes wrote stays.
"""

import os
import subprocess
import sys
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path

import envfile
import rendering

from checkout.books import refuse_another_market, remember_options, remembered_options
from checkout.files import link, write
from checkout.options import Options
from checkout.places import ROLES, Checkout
from checkout.terminal import CONFIGURATION, Problem, say

PORTS = ("BTCBOT_SANDBOX_API_PORT", "BTCBOT_SANDBOX_GRAPH_PORT", "BTCBOT_SANDBOX_WS_PORT", "BTCBOT_SANDBOX_ADMIN_PORT")
DIRECTORIES = ("", "env", "lib", "lib/live", "lib/monitor", "lib/sandbox", "run", "log")

# Of a unix socket's path, without the closing zero; macOS has 4 bytes less.
SOCKET_PATH_BYTES_MAX = 107 if sys.platform.startswith("linux") else 103
# supervisord binds its socket under a temporary name first: the name, a dot and its process id.
LONGEST_SOCKET_NAME = "supervisor.sock.4194304"


def write_var(checkout: Checkout, options: Options) -> None:
    """Make or refresh `var/`, or raise a `Problem` before any environment file is changed."""
    btcbot = checkout.bin / "btcbot"
    if not btcbot.exists():
        raise Problem(f"{btcbot} is missing. Next: run `make env`", CONFIGURATION)
    refuse_long_socket_path(checkout.var / "run" / LONGEST_SOCKET_NAME)
    for name in DIRECTORIES:
        directory = checkout.var / name
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        directory.chmod(0o700)
    write_env_copies(checkout, options)
    parser = rendering.read_supervisord((checkout.tracked / "supervisord.conf").read_text("utf-8"))
    if not checkout.with_sandbox():
        rendering.without_sandbox(parser)
    rendering.localise(parser, checkout.places, options.start_seconds)
    write(checkout.configuration, rendering.write_supervisord(parser))
    if checkout.is_default:
        # supervisorctl looks in ../etc beside its own directory, wherever it is called.
        link(checkout.bin.parent / "etc" / "supervisord.conf", checkout.configuration)
    if checkout.with_sandbox():
        make_sandbox_keys(checkout)


def refuse_long_socket_path(path: Path) -> None:
    length = len(os.fsencode(path))
    if length > SOCKET_PATH_BYTES_MAX:
        raise Problem(
            f"the path of a unix socket would have {length} bytes, the system takes {SOCKET_PATH_BYTES_MAX}: {path}. "
            "Next: move the checkout to a shorter path, or pass --root DIR with a short one",
            CONFIGURATION,
        )


def refuse_new_options(checkout: Checkout, options: Options) -> None:
    """Files must not change under running processes: the next restart of one would no longer fit the others."""
    wanted = env_copies(checkout, remembered_options(checkout) | dict(options.given))
    for role in roles_named(checkout, options.given):
        if checkout.env(role).read_text("utf-8") != wanted[role]:
            raise Problem(
                f"btcbot runs already, with other options. Next: stop it first, with `{checkout.next_step('stop')}`"
            )


# ----------------------------------------------------------------------------------------------------------- env copies


def write_env_copies(checkout: Checkout, options: Options) -> None:
    """Write what differs from what it should be; an option that was not given again counts as it was remembered."""
    remembered = remembered_options(checkout)
    chosen = remembered | dict(options.given)
    named = roles_named(checkout, options.given)
    begun, wanted = env_copies(checkout, remembered), env_copies(checkout, chosen)
    existing = {role: existing_copy(checkout, role) for role in ROLES}
    edited = {role for role, text in existing.items() if text not in (None, wanted[role]) and not is_as_written(text)}
    for role in edited & named:
        raise Problem(
            f"{checkout.env(role)} was edited by hand, so the options given cannot be applied to it. "
            "Next: make the change in that file, or delete it to get a new one",
            CONFIGURATION,
        )
    if "sandbox" not in edited:
        before = existing["sandbox"] or begun["sandbox"]
        refuse_another_market(checkout, parsed(before), parsed(wanted["sandbox"]))
    for role in ROLES:
        if role in edited:
            say(f"up: {checkout.env(role)} was edited by hand and stays as it is")
        elif existing[role] != wanted[role]:
            write(checkout.env(role), wanted[role])
    if chosen != remembered:
        remember_options(checkout, chosen)


def existing_copy(checkout: Checkout, role: str) -> str | None:
    """None when there is no file. One that is not text was not written by us."""
    try:
        return checkout.env(role).read_text("utf-8", "replace")
    except FileNotFoundError:
        return None


def is_as_written(text: str | None) -> bool:
    return text is not None and rendering.is_as_written(text)


def parsed(text: str) -> dict[str, str]:
    return envfile.parse(text.encode(), "the written file")


def env_copies(checkout: Checkout, options: Mapping[str, str]) -> dict[str, str]:
    """What the environment files should be, with the options applied."""
    changes = option_changes(checkout, options)
    return {
        role: rendering.env_copy(checkout.tracked_env(role).read_text("utf-8"), checkout.places, changes[role])
        for role in ROLES
    }


def roles_named(checkout: Checkout, options: Mapping[str, str]) -> set[str]:
    """The roles whose file these options change."""
    return {role for role, changes in option_changes(checkout, options).items() if changes}


def option_changes(checkout: Checkout, options: Mapping[str, str]) -> dict[str, dict[str, str | None]]:
    """The variables that the options change, by role. No option, no change."""
    changes: dict[str, dict[str, str | None]] = {role: {} for role in ROLES}

    def put(name: str, option: str, *roles: str) -> None:
        for role in roles if option in options else ():
            changes[role][name] = options[option]

    put("BTCBOT_SANDBOX_SEED", "seed", "sandbox")
    put("BTCBOT_SANDBOX_SOURCE", "source", "sandbox")
    put("BTCBOT_SANDBOX_SPEED", "speed", "sandbox")
    put("BTCBOT_PAIRS", "pairs", *ROLES)
    put("BTCBOT_RISK_CURRENCY", "currency", "live")
    put("BTCBOT_CYCLE_SECONDS", "cycle_seconds", "live", "monitor")
    put("BTCBOT_STRATEGY", "strategy", "live")
    if "strategy" in options:
        changes["live"]["BTCBOT_STRATEGY_PARAMS"] = "{}"  # the tracked ones are another strategy's
    put("BTCBOT_CLOCK_RATE", "clock_rate", *ROLES)
    if "clock_rate" in options and Decimal(options["clock_rate"]) == 1:
        for role in ROLES:  # real time has no anchor
            changes[role]["BTCBOT_CLOCK_ANCHOR_FILE"] = None
    if "ports" in options:
        shift_ports(checkout, int(options["ports"]), changes)
    return changes


def shift_ports(checkout: Checkout, base: int, changes: Mapping[str, dict[str, str | None]]) -> None:
    """Other ports for the sandbox, and the endpoints and the acknowledgement that name them."""
    tracked = {role: envfile.read(checkout.tracked_env(role)) for role in ROLES}
    shifted = {f"127.0.0.1:{tracked['sandbox'][name]}": f"127.0.0.1:{base + n}" for n, name in enumerate(PORTS)}

    def shift(value: str) -> str:
        for old, new in shifted.items():
            if value.endswith(old):
                return value.removesuffix(old) + new
        return value

    changes["sandbox"] |= {name: str(base + n) for n, name in enumerate(PORTS)}
    for role in ("live", "monitor"):
        changes[role] |= rendering.map_values(tracked[role], (*rendering.ENDPOINTS, "LIVE_TRADING_ACK"), shift)


def make_sandbox_keys(checkout: Checkout) -> None:
    made = subprocess.run(
        [checkout.bin / "btcbot", "sandbox", "init", checkout.var / "lib" / "sandbox"],
        env=envfile.environment({}, os.environ),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if made.returncode:
        reason = (made.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise Problem(f"the sandbox's keys could not be made: {reason}", made.returncode)
