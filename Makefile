# make demo     the whole job on a private real Postfix, in about a minute (ARGS="--fast --seed 2" are handed on)
# make test     all tests, those with a real Postfix included
# make bench    the benchmarks
# make fuzz     TARGET=log_line SECONDS=60: one parser under libFuzzer (tests/fuzz/README.md; needs a C++ compiler)
# make check    format, lints, documentation
# make install  the program, the units, the configuration if there is none (PREFIX, DESTDIR)
#
# demo and test install what is missing when they are run as root on Debian or Ubuntu; otherwise they say what is missing.

PREFIX  ?= /usr/local
DESTDIR ?=
SYSCONFDIR ?= /etc
UNITDIR ?= $(PREFIX)/lib/systemd/system
ARGS    ?=
export MAKECMDGOALS

demo:
	.ci/prepare run -- cargo build --release --locked
	target/release/postwarden demo $(ARGS)

test:
	POSTWARDEN_REQUIRE_POSTFIX=1 .ci/prepare run -- .ci/test

bench:
	.ci/prepare build -- cargo bench --locked

# The instrumentation that cargo-fuzz asks for, without its sanitizers: a stable toolchain will do.
TARGET  ?= log_line
SECONDS ?= 60
FUZZ := tests/fuzz
SANCOV := --cfg fuzzing -Cpasses=sancov-module $(addprefix -Cllvm-args=-sanitizer-coverage-,level=4 inline-8bit-counters pc-table trace-compares)
HOST = $(shell rustc -vV | sed -n 's/^host: //p')

fuzz:
	mkdir -p $(FUZZ)/corpus/$(TARGET) $(FUZZ)/artifacts/$(TARGET)
	cd $(FUZZ) && RUSTFLAGS='$(SANCOV)' cargo build --release --locked --target $(HOST) --bin $(TARGET)
	$(FUZZ)/target/$(HOST)/release/$(TARGET) -max_total_time=$(SECONDS) -timeout=10 -rss_limit_mb=1024 \
	    -artifact_prefix=$(FUZZ)/artifacts/$(TARGET)/ $(addprefix -dict=,$(wildcard $(FUZZ)/dict/$(TARGET).dict)) \
	    $(FUZZ)/corpus/$(TARGET) $(FUZZ)/seeds/$(TARGET)

check:
	.ci/prepare build -- cargo fmt --check
	.ci/prepare build -- cargo clippy --locked --all-targets -- -D warnings
	RUSTDOCFLAGS='-D warnings' .ci/prepare build -- cargo doc --locked --no-deps --document-private-items

release:
	.ci/prepare build -- cargo build --release --locked

install: release
	install -D -m 0755 target/release/postwarden $(DESTDIR)$(PREFIX)/bin/postwarden
	for unit in postwarden.service postwarden-holder.service postwarden-holder.socket; do \
	    install -d $(DESTDIR)$(UNITDIR) && \
	    sed 's|/usr/bin/postwarden|$(PREFIX)/bin/postwarden|' systemd/$$unit >$(DESTDIR)$(UNITDIR)/$$unit || exit 1; \
	done
	install -D -m 0644 systemd/sysusers.conf $(DESTDIR)$(PREFIX)/lib/sysusers.d/postwarden.conf
	install -D -m 0644 systemd/tmpfiles.conf $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/postwarden.conf
	install -d $(DESTDIR)$(PREFIX)/share/postwarden
	cp -R policies $(DESTDIR)$(PREFIX)/share/postwarden/
	test -e $(DESTDIR)$(SYSCONFDIR)/postwarden/postwarden.toml || \
	    install -D -m 0644 policies/postwarden.toml $(DESTDIR)$(SYSCONFDIR)/postwarden/postwarden.toml
	@echo 'Next: systemd-sysusers && systemd-tmpfiles --create && systemctl daemon-reload; postwarden check'

.PHONY: demo test bench fuzz check release install
