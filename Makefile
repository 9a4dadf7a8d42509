# Everything a person or a machine does with a checkout. Needs Python 3.11 or newer, make, and (once) a package registry.
#
#   make run      the sandbox exchange, the live worker and the monitor, in the foreground; Ctrl-C stops all three
#   make start    the same in the background;  make stop  ends them
#   make fresh    moves the databases and the sandbox's record to var/old, so that the next start begins new ones
#   make test     everything that has to hold: lint, types, import contracts, then every test
#
# Variables: PYTHON=python3.12 picks the interpreter of a new environment. For run and start:
# SOURCE=FILE (recorded market data), SEED=7 (of the generator), PAIRS=BTCTRY,ETHTRY, CURRENCY=TRY (what they are quoted
# in), RATE=20 (clock rate), SPEED=1 (recorded seconds per sandbox second), STRATEGY=NAME (docs/strategies.md), ARGS="..."
# (anything else that deploy/up takes). What is given stays in force until `make fresh`.

export LC_ALL = C
SHELL = /bin/sh
.NOTPARALLEL:
.DEFAULT_GOAL = help

VENV = .venv
BIN = $(VENV)/bin
PYTEST = $(BIN)/python -m pytest
UP = $(BIN)/python deploy/up
UP_OPTIONS = $${SOURCE:+--source "$$SOURCE"} $${SEED:+--seed "$$SEED"} $${PAIRS:+--pairs "$$PAIRS"} \
	$${CURRENCY:+--currency "$$CURRENCY"} $${RATE:+--clock-rate "$$RATE"} $${SPEED:+--speed "$$SPEED"} \
	$${STRATEGY:+--strategy "$$STRATEGY"} $(ARGS)

# A stamp is as new as what was installed from: nothing to do means one look at file times.
RUN_STAMP = $(VENV)/.installed-run
DEV_STAMP = $(VENV)/.installed-dev
PEERS = .venv-peers
PEERS_STAMP = $(PEERS)/.installed

.PHONY: help run start stop fresh env test lint format lock docker-test kill-test fault-test mutation-test risk-test replay-test language-test \
	strategy-reports fuzz clean bench bench-quick

help:
	@sed -n '2,/^$$/s/^# \{0,1\}//p' Makefile

run: $(RUN_STAMP)
	@$(UP) run $(UP_OPTIONS)

start: $(RUN_STAMP)
	@$(UP) start $(UP_OPTIONS)

stop: $(RUN_STAMP)
	@$(UP) stop $(ARGS)

fresh: $(RUN_STAMP)
	@$(UP) fresh $(ARGS)

env: $(DEV_STAMP)

# The project itself is built by the locked backend, without fetching anything.
$(RUN_STAMP): requirements/run.lock pyproject.toml requirements/install.sh
	@sh requirements/install.sh $(VENV) requirements/run.lock
	@touch $@

$(DEV_STAMP): requirements/dev.lock pyproject.toml requirements/install.sh
	@sh requirements/install.sh $(VENV) requirements/dev.lock
	@touch $@ $(RUN_STAMP)

# Other people's programs stay out of our environment, and the project out of theirs.
$(PEERS_STAMP): requirements/peers.lock requirements/install.sh
	@sh requirements/install.sh $(PEERS) requirements/peers.lock only
	@touch $@

# Lint, types and contracts come first: they answer in seconds. Types take as long as all the rest, and run beside it.
PROGRAMS = deploy/entry deploy/healthcheck deploy/state-listener deploy/up deploy/with-env
lint: $(DEV_STAMP)
	@$(BIN)/mypy --cache-dir .cache/mypy & types=$$!; set -x; \
	$(BIN)/ruff check . && \
	$(BIN)/ruff format --check . && \
	$(BIN)/python -m lint btcbot && \
	$(BIN)/lint-imports --no-logo --cache-dir .cache/import-linter && \
	$(BIN)/python -m lint.unused btcbot lint deploy $(PROGRAMS) && \
	$(BIN)/deptry . || { kill $$types; exit 1; }; \
	wait $$types

format: $(DEV_STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Tests that start real programs get a session each, so that nothing of one lingers in the other.
test: lint $(PEERS_STAMP)
	$(PYTEST) -m 'not slow' -n 2 --ignore tests/e2e --ignore tests/docker
	$(PYTEST) -m 'not slow' tests/e2e
	$(PYTEST) -m 'not slow' tests/docker

docker-test: $(DEV_STAMP)
	$(PYTEST) tests/docker

# Twenty times `kill -9` of the live worker while it trades; then the books are compared with the exchange's own record.
# With KILLS=100 so many, at the clock's own rate, and how long each recovery took (half an hour).
kill-test: $(DEV_STAMP)
	$(if $(KILLS),$(BIN)/python benchmarks/recovery.py --kills $(KILLS) --check,$(PYTEST) -m kill tests/e2e)

# Killed at every commit and every wait, at every line and every writing system call, again and again, in a storm; a
# thousand races for the lock; then what docs/faults.md says is missing. Some hours.
fault-test: $(DEV_STAMP)
	$(PYTEST) -m slow -n 2 tests/faults
	@$(BIN)/python -m tests.faults.table

# Small faults are put into what decides about money, one after another: a test must notice each. About half an hour; it
# goes on where it was stopped, and `mutmut results` lists what nobody noticed. MUTANTS='btcbot.risk.gate*' chooses.
mutation-test: $(DEV_STAMP)
	$(BIN)/mutmut run $(MUTANTS)
	$(BIN)/mutmut results

# A million generated orders before the gate, and every restart of the long list.
risk-test: $(DEV_STAMP)
	BTCBOT_TESTS_GENERATED_ORDERS=500000 $(PYTEST) -m 'slow or not slow' -n 2 tests/unit/risk tests/unit/services/test_restarts.py

# A recorded book through sandbox and client, equal at every frame: make replay-test RECORDED_BOOKS=FILE, or a generated one.
replay-test: $(DEV_STAMP)
	$(PYTEST) -m slow tests/integration/market_data

# docs/strategies again, from the recorded data in DATA; about an hour. SPEED=1 plays the week minute by minute, in a day.
strategy-reports: $(DEV_STAMP)
	@$(BIN)/python -m tests.strategies.reports "$${DATA:?say where the recorded data are: make strategy-reports DATA=DIR}" $${SPEED:+--speed "$$SPEED"}

# Figures as ratios of one run, as the table of docs/performance.md; see benchmarks/README.md.
bench: $(DEV_STAMP) $(PEERS_STAMP)
	$(BIN)/python benchmarks/report.py --check

bench-quick: $(DEV_STAMP)
	$(BIN)/python benchmarks/report.py --quick

# Both evaluators of the strategy language on long recordings: make language-test RECORDED_CANDLES=FILE:FILE, or generated.
language-test: $(DEV_STAMP)
	$(PYTEST) -m slow tests/unit/strategy/language

# A long coverage-guided search of every parser. One target: make fuzz FUZZ_TARGETS=json FUZZ_SECONDS=600
FUZZ_SECONDS = 60
fuzz: $(DEV_STAMP)
	$(BIN)/python -m tests.fuzz.harness --seconds $(FUZZ_SECONDS) $(FUZZ_TARGETS)

# Renews both locks to the newest versions that pyproject.toml allows. Needs uv; nothing else does.
# To renew one package only: make lock LOCK_OPTIONS='--upgrade-package NAME'
LOCK_OPTIONS = --upgrade
LOCK = uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-annotate \
	--no-emit-index-url --no-emit-find-links --no-header --quiet $(LOCK_OPTIONS)

lock:
	$(LOCK) --group build --output-file requirements/run.lock
	$(LOCK) --group dev --extra research --constraint requirements/run.lock --output-file requirements/dev.lock
	$(subst pyproject.toml ,,$(LOCK)) --group peers --output-file requirements/peers.lock

clean:
	rm -rf $(VENV) .cache .hypothesis .pytest_cache .ruff_cache build dist
	find btcbot lint tests -name __pycache__ -type d -prune -exec rm -rf {} +
