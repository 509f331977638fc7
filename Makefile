# Vivarium. GNU make; `make help` lists the targets.
VERSION = 0.1.0
PREFIX ?= /usr/local
DESTDIR ?=
BINDIR = $(PREFIX)/bin
SHAREDIR = $(PREFIX)/share/vivarium
MANDIR = $(PREFIX)/share/man
COMPDIR = $(PREFIX)/share/bash-completion/completions

CC ?= cc
CFLAGS ?= -O2 -g
LDFLAGS ?=
PKGS = libcjson libseccomp libmd
B ?= build
BIN ?= bin

# Asked when first needed: on a new system pkg-config comes with `make deps`.
PKG_CFLAGS = $(eval PKG_CFLAGS := $$(shell pkg-config --cflags $(PKGS)))$(PKG_CFLAGS)
# Loading libcurl takes ten times as long as all the rest: one command does.
CURL = $(eval CURL := $$(shell pkg-config --libs libcurl))$(CURL)
LIBS = $(eval LIBS := $$(shell pkg-config --libs $(PKGS)) -lm)$(LIBS)
WARN = -Wall -Wextra -Wpedantic -Wshadow -Wvla -Wformat=2 -Wstrict-prototypes \
	-Wmissing-prototypes -Wwrite-strings \
	$(if $(findstring clang,$(CC)),-Wno-format-nonliteral)
HARD = -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fPIE
ALLCFLAGS = -std=c11 $(WARN) $(HARD) -D_GNU_SOURCE -DVIV_VERSION='"$(VERSION)"' -Ilib \
	$(PKG_CFLAGS) -MMD -MP $(CFLAGS)
ALLLDFLAGS = -pie -Wl,-z,relro,-z,now -Wl,--as-needed $(LDFLAGS)

CMDS = $(patsubst cmd/%.c,%,$(wildcard cmd/*.c))
SCRIPTS = $(patsubst cmd/%.sh,%,$(wildcard cmd/*.sh))
LIBOBJS = $(patsubst lib/%.c,$(B)/lib/%.o,$(wildcard lib/*.c))
TESTS = $(patsubst test/%.c,$(B)/test/%,$(wildcard test/*.c))
FUZZERS = $(patsubst test/%.c,$(B)/test/%,$(wildcard test/fuzz/*.c))
PAGES = $(wildcard man/man?/*.[1-9])
SHARED = $(shell find share world contrib/httpd -type f 2>/dev/null)

all: $(CMDS:%=$(BIN)/%) $(SCRIPTS:%=$(BIN)/%) ## build the commands in bin/ (the default)

$(BIN)/%: $(B)/cmd/%.o $(B)/libviv.a
	@mkdir -p $(@D)
	$(CC) $(ALLLDFLAGS) -o $@ $^ $(LIBS) $(if $(filter viv-llm,$(@F)),$(CURL))

$(BIN)/%: cmd/%.sh
	@mkdir -p $(@D)
	install -m 755 $< $@

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(ALLCFLAGS) -c -o $@ $<

$(B)/libviv.a: $(LIBOBJS)
	$(AR) rcs $@ $?

$(B)/test/%: $(B)/test/%.o $(B)/libviv.a
	@mkdir -p $(@D)
	$(CC) $(ALLLDFLAGS) -o $@ $^ $(LIBS)

# What a target builds first, by all cores unless make was told how many.
BUILD_ALL = $(MAKE) --no-print-directory -s $(if $(filter -j%,$(MAKEFLAGS)),,-j$$(nproc)) all

tests: $(TESTS)
fuzzers: $(FUZZERS)

deps: ## install the packages that building and testing need and that are missing
	@sh contrib/deps.sh run build test

deps-test: ## a server and a client of others for test/mock.bats, from the npm registry, in test/npm
	@sh contrib/deps.sh npm

check: deps ## build, lint and run the whole suite
	+@$(BUILD_ALL) tests
	@$(MAKE) --no-print-directory -s lint
	@test/run.sh

lint: ## compilers' warnings as errors, shellcheck, mandoc, the rules of the house
	@test/lint.sh

fuzz: deps ## run each fuzzer for FUZZ_S seconds (20)
	@test/fuzz.sh $(FUZZ_S)

bench: deps ## measure against other runners on this machine
	@sh contrib/deps.sh bench
	+@$(BUILD_ALL) tests
	@test/bench.sh

soak: deps ## kill and stop residents at random for SOAK_M minutes (10), then check the world
	+@$(BUILD_ALL) tests
	@test/soak.sh $(SOAK_M:%=-m %)

demo: ## a world, some tasks and a resident, in a temporary directory
	@sh contrib/deps.sh run build
	+@$(BUILD_ALL)
	@contrib/demo.sh

install: all ## install below $(DESTDIR)$(PREFIX)
	install -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(COMPDIR)
	install -m 755 $(CMDS:%=$(BIN)/%) $(SCRIPTS:%=$(BIN)/%) $(DESTDIR)$(BINDIR)
	for f in $(PAGES:man/%=%); do install -D -m 644 man/$$f $(DESTDIR)$(MANDIR)/$$f || exit; done
	for f in $(SHARED); do install -D -m 644 $$f $(DESTDIR)$(SHAREDIR)/$${f#share/} || exit; done
	install -m 644 contrib/completion/viv.bash $(DESTDIR)$(COMPDIR)/viv
	for c in $(filter-out viv,$(CMDS) $(SCRIPTS)); do ln -sf viv $(DESTDIR)$(COMPDIR)/$$c || exit; done

uninstall: ## remove what install put there, and nothing else
	rm -f $(addprefix $(DESTDIR)$(BINDIR)/,$(CMDS) $(SCRIPTS))
	rm -f $(PAGES:man/%=$(DESTDIR)$(MANDIR)/%)
	rm -f $(addprefix $(DESTDIR)$(SHAREDIR)/,$(SHARED:share/%=%))
	rm -f $(addprefix $(DESTDIR)$(COMPDIR)/,viv $(CMDS) $(SCRIPTS))
	[ ! -d $(DESTDIR)$(SHAREDIR) ] || find $(DESTDIR)$(SHAREDIR) -depth -type d -empty -delete

dist: ## vivarium-VERSION.tar.gz of what is committed
	git archive --prefix=vivarium-$(VERSION)/ -o vivarium-$(VERSION).tar.gz HEAD

clean: ## remove everything that was built
	rm -rf build bin build-asan bin-asan build-fuzz bin-fuzz $(B) $(BIN) vivarium-$(VERSION).tar.gz

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 12

-include $(wildcard $(B)/*/*.d $(B)/*/*/*.d)
.PHONY: all tests fuzzers deps deps-test check lint fuzz bench soak demo install uninstall dist clean help
.SECONDARY:
