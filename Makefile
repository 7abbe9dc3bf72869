# `make demo` and `make test` need a Debian 12 with Rust in PATH and nothing else: `install-deps` brings the rest, once.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

CARGO ?= cargo
# What Cargo.lock says and nothing else.
LOCKED := --locked
# Where cargo puts what it builds, and the functions that runs call, for build.rs. Their names change with the compiler and with what they
# depend on.
TARGET := $(abspath $(or $(CARGO_TARGET_DIR),target))
LAYOUT := $(TARGET)/layout-$(word 2,$(shell rustc --version 2>/dev/null)).txt
say = @printf '\n== %s (%s)\n' "$(1)" "$$(date -u +%H:%M:%SZ)"

.PHONY: help install-deps build demo test fmt clippy doc doctest architecture nextest simulate grade mutants bench fuzz deny

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install-deps: ## Install what the tests and the demonstration need, once, without a question
	@.ci/install

build: $(LAYOUT) ## Build the program as it is meant to be shipped, in two passes: target/release/lifeboat
	$(call say,build)
	LIFEBOAT_LAYOUT=$(LAYOUT) $(CARGO) build $(LOCKED) --release --bin lifeboat

$(LAYOUT): Cargo.lock Cargo.toml benches/layout.py benches/compare.py
	@.ci/install build
	$(call say,first pass: what do runs call?)
	$(CARGO) build $(LOCKED) --release --bin lifeboat
	benches/layout.py $(TARGET)/release/lifeboat > $@.next
	mv $@.next $@

demo: install-deps ## Fail two regions over on this machine: real PostgreSQL, name server and object store
	$(CARGO) build $(LOCKED) --quiet --bins --examples
	$(CARGO) run $(LOCKED) --quiet --example two-regions

# One after the other, the quickest to fail first. Nextest comes last, so that its summary ends the output.
test: install-deps ## Everything that CI checks: format, lints, documentation, architecture, all tests
	@$(MAKE) fmt
	@$(MAKE) clippy
	@$(MAKE) architecture
	@$(MAKE) doc
	@$(MAKE) doctest
	@$(MAKE) nextest

fmt: ## Is everything formatted?
	$(call say,format)
	$(CARGO) fmt --all -- --check

clippy: ## Lints of all targets; a warning is an error
	$(call say,lints)
	$(CARGO) clippy $(LOCKED) --all-targets -- -D warnings

architecture: ## The rules of the house: floors, strangers, faces, sizes
	$(call say,architecture)
	$(CARGO) nextest run $(LOCKED) --test architecture --status-level fail

doc: ## The documentation, without a warning
	$(call say,documentation)
	RUSTDOCFLAGS="$${RUSTDOCFLAGS:-} -D warnings" $(CARGO) doc $(LOCKED) --no-deps --lib

doctest: ## The examples in the documentation
	$(call say,examples in the documentation)
	$(CARGO) test $(LOCKED) --doc

nextest: ## All tests, with real servers
	$(call say,tests)
	@# The real runs start the example's own program, which a test build does not make.
	$(CARGO) build $(LOCKED) --quiet --bins --examples
	$(CARGO) nextest run $(LOCKED)

simulate: ## Play everything that can go wrong: SEEDS=100000 for a night, SEED=17 for one story
	@SEEDS=$(SEEDS) SEED=$(SEED) tests/it/simulation/simulate

grade: ## Grade verdicts and automation on recordings of real observers and on generated traces; TRACES=5200
	@TRACES=$${TRACES:-5200} $(CARGO) nextest run $(LOCKED) --lib --no-capture -E 'test(/^(decide::traces|controller::graded)/)'

mutants: ## Plant bugs, one at a time, and count how soon the simulation finds each
	@tests/it/simulation/mutants/hunt

bench: ## Measure
	$(CARGO) bench $(LOCKED)

# Without a sanitizer a stable compiler will do: our own code has no unsafe block, so what is looked for are panics.
FUZZ_SECONDS ?= 60
FUZZ_TARGETS ?= documents journals dns s3 expressions words ledger

fuzz: ## Fuzz each target for a minute; FUZZ_SECONDS=…, FUZZ_TARGETS=… (needs cargo-fuzz; `make test` runs a bounded part)
	@for target in $(FUZZ_TARGETS); do \
	  printf '\n== fuzz %s\n' "$$target"; \
	  mkdir -p "fuzz/artifacts/$$target" "fuzz/target/corpus/$$target"; \
	  seeds="$$([ "$$target" = documents ] && echo tests/manifest/good tests/manifest/bad runbooks || echo "fuzz/corpus/$$target")"; \
	  $(CARGO) fuzz run --sanitizer none "$$target" "fuzz/target/corpus/$$target" $$seeds \
	    -- -max_total_time=$(FUZZ_SECONDS) -timeout=10 -rss_limit_mb=1024; \
	done

deny: ## Licences, bans and advisories (needs cargo-deny and its advisory database)
	$(CARGO) deny check
