/*
 * scan: JSON text read in place, without building a tree.
 *
 * scan_check is the fence: what it lets through is one JSON value of strict
 * RFC 8259 text, valid UTF-8, without NUL (raw or \u0000), lone surrogates,
 * duplicate keys or trailing bytes, at most SCAN_DEPTH deep. The iterators below
 * expect text that has passed it; on other text they stop early, never overrun.
 */
#ifndef VIV_SCAN_H
#define VIV_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

enum { SCAN_DEPTH = 32 };

/* A value in the text: p points at its first byte. kind: { [ " 0 (number) t f n,
 * or NUL for none. */
struct scan {
	const char *p;
	size_t len;
	char kind;
};

/* 0, or -VIV_CONFIG with "line L, column C: what is wrong". */
int scan_check(const char *s, size_t n, struct err *e);

/* The value that the text s begins with (blanks skipped). */
struct scan scan_text(const char *s, size_t n);

/*
 * Iterate: zero-initialised *at, then call until false.
 *	size_t at = 0;
 *	while (scan_member(obj, &at, &key, &val)) ...
 * key.p and key.len include the quotes.
 */
bool scan_member(struct scan obj, size_t *at, struct scan *key, struct scan *val);
bool scan_item(struct scan arr, size_t *at, struct scan *val);

/* Member of an object by name; kind NUL when it is absent. */
struct scan scan_get(struct scan obj, const char *name);

/* Does the string value (or key) equal s? Escapes are decoded. */
bool scan_eq(struct scan str, const char *s);

/* Decoded string; scan_dup's result is the caller's to free, NULL when v is no
 * string. scan_copy cuts to size - 1 bytes and returns the length it wrote. */
char *scan_dup(struct scan v);
size_t scan_copy(struct scan v, char *dst, size_t size);

/* Number, or dflt when v is none; a whole one as num_whole; true/false as scan_true. */
double scan_number(struct scan v, double dflt);
int64_t scan_int(struct scan v, int64_t dflt);
bool scan_true(struct scan v);

#endif
