# Vivarium. GNU make; `make help` lists the targets.
VERSION = 0.1.0
PREFIX ?= /usr/local
DESTDIR ?=
BINDIR = $(PREFIX)/bin
SHAREDIR = $(PREFIX)/share/vivarium
MANDIR = $(PREFIX)/share/man

CC ?= cc
CFLAGS ?= -O2 -g
LDFLAGS ?=
PKGS = libcjson libseccomp libmd
B ?= build
BIN ?= bin

WARN = -Wall -Wextra -Wpedantic -Wshadow -Wvla -Wformat=2 -Wstrict-prototypes \
	-Wmissing-prototypes -Wwrite-strings
HARD = -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fPIE
ALLCFLAGS = -std=c11 $(WARN) $(HARD) -D_GNU_SOURCE -DVIV_VERSION='"$(VERSION)"' -Ilib \
	$(shell pkg-config --cflags $(PKGS) 2>/dev/null) -MMD -MP $(CFLAGS)
ALLLDFLAGS = -pie -Wl,-z,relro,-z,now -Wl,--as-needed $(LDFLAGS)
LIBS = $(shell pkg-config --libs $(PKGS) 2>/dev/null) -lm

CMDS = $(patsubst cmd/%.c,%,$(wildcard cmd/*.c))
SCRIPTS = $(patsubst cmd/%.sh,%,$(wildcard cmd/*.sh))
LIBOBJS = $(patsubst lib/%.c,$(B)/lib/%.o,$(wildcard lib/*.c))
TESTC = $(patsubst test/%.c,$(B)/test/%,$(wildcard test/*.c))

all: $(CMDS:%=$(BIN)/%) $(SCRIPTS:%=$(BIN)/%)

$(BIN)/%: $(B)/cmd/%.o $(B)/libviv.a
	@mkdir -p $(@D)
	$(CC) $(ALLLDFLAGS) -o $@ $^ $(LIBS)

$(BIN)/%: cmd/%.sh
	@mkdir -p $(@D)
	install -m 755 $< $@

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(ALLCFLAGS) -c -o $@ $<

$(B)/libviv.a: $(LIBOBJS)
	$(AR) rcs $@ $?

$(B)/test/%: $(B)/test/%.o $(B)/libviv.a
	$(CC) $(ALLLDFLAGS) -o $@ $^ $(LIBS)

clean:
	rm -rf $(B) $(BIN)

-include $(wildcard $(B)/*/*.d)
.PHONY: all clean
.SECONDARY:
