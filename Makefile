# What people type. The work itself is in .ci/, so that a machine and a person run the same steps.
.PHONY: help build release install image image-test demo test quick fuzz bench fmt docs clean

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 16

build: ## install what is missing and compile everything
	@.ci/prepare && .ci/steps build

# Programs are built as the user who builds, so `make release` first where `install` runs as root.
release: ## compile what `install` installs, optimised
	@. .ci/environment && cargo build --release --locked -p cli -p proxy -p signer -p confclient

install: ## install on this host, or below a folder (docs/installation.md): make install DESTDIR=/
	@. .ci/environment && systemd/install.sh --binaries "$(or $(BINARIES),$$CARGO_TARGET_DIR/release)" "$(or $(DESTDIR),/)"

image: ## make the appliance's image (docs/appliance.md): make image OPTIONS='--version 1.2.3'
	@.ci/prepare image && image/build $(OPTIONS)

image-test: ## make the image twice and two successors, boot them under QEMU, try what is promised: make image-test SCENARIOS=update
	@.ci/prepare image && image/test/run $(OPTIONS) -- $(SCENARIOS)

demo: ## start a complete instance on loopback, exchange messages, verify the evidence, stop
	@.ci/prepare && .ci/steps build demo

test: ## everything that .ci/run runs: format, lints, tests, documentation, demo
	@.ci/prepare image && .ci/third-party && .ci/steps all

quick: ## format, lints and tests of what you changed: make quick CRATE=protocol-pki
	@.ci/steps quick

fuzz: ## look for input that breaks a parser (docs/fuzzing.md): make fuzz TARGET=transport SECONDS=600
	@fuzz/run "$(or $(TARGET),all)" "$(or $(SECONDS),600)"

bench: ## measure beside an nginx chain (bench/README.md): make bench ROWS=1kb,cbc SECONDS=10 ROUNDS=9
	@LENGTH="$(or $(SECONDS),4)" ROWS="$(ROWS)" ROUNDS="$(ROUNDS)" bench/run

fmt: ## format the sources
	@. .ci/environment && cargo fmt --all

docs: ## build the documentation of all crates
	@.ci/steps docs

clean: ## forget everything that was compiled
	@. .ci/environment && rm -rf -- "$$CARGO_TARGET_DIR"
