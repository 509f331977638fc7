/*
 * scan_check: the fence. Walks every byte once by recursive descent, at most SCAN_DEPTH
 * deep, and refuses what the tree parser behind it would let through or silently
 * change: trailing bytes, duplicate keys, bad UTF-8, NUL, lone surrogates, NaN.
 */
#include "scan.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "num.h"
#include "utf8.h"

struct key {
	uint64_t hash;
	const char *p;		/* decoded when owned */
	size_t len;
};

struct check {
	const char *start, *p, *end;
	const char *wrong;	/* first error, NULL so far */
	const char *at;		/* where */
	struct key *keys;	/* keys of the open objects, innermost last */
	size_t nkeys, cap;
};

static bool check_value(struct check *c, int depth);

static bool
wrong(struct check *c, const char *at, const char *what)
{
	if (c->wrong == NULL) {
		c->wrong = what;
		c->at = at;
	}
	return false;
}

static void
blanks(struct check *c)
{
	while (c->p < c->end && (*c->p == ' ' || *c->p == '\n' || *c->p == '\t' || *c->p == '\r'))
		c->p++;
}

/* A backslash is at c->p. */
static bool
check_escape(struct check *c)
{
	const char *at = c->p;
	uint32_t u, low;

	if (c->end - c->p < 2)
		return wrong(c, at, "unterminated string");
	if (c->p[1] != 'u') {
		if (strchr("\"\\/bfnrt", c->p[1]) == NULL || c->p[1] == '\0')
			return wrong(c, at, "unknown escape");
		c->p += 2;
		return true;
	}
	if (!num_hex4(c->p + 2, c->end, &u))
		return wrong(c, at, "bad \\u escape");
	c->p += 6;
	if (u == 0)
		return wrong(c, at, "NUL character");
	if (u >= 0xdc00 && u <= 0xdfff)
		return wrong(c, at, "lone surrogate");
	if (u >= 0xd800 && u <= 0xdbff) {
		if (c->end - c->p < 6 || c->p[0] != '\\' || c->p[1] != 'u' ||
		    !num_hex4(c->p + 2, c->end, &low) || low < 0xdc00 || low > 0xdfff)
			return wrong(c, at, "lone surrogate");
		c->p += 6;
	}
	return true;
}

static bool
check_string(struct check *c, bool *escaped)
{
	const char *open = c->p++;

	*escaped = false;
	while (c->p < c->end) {
		unsigned char ch = (unsigned char)*c->p;

		if (ch == '"') {
			c->p++;
			return true;
		}
		if (ch == '\\') {
			*escaped = true;
			if (!check_escape(c))
				return false;
		} else if (ch < 0x20) {
			return wrong(
			    c, c->p, ch == 0 ? "NUL byte" : "control character in a string");
		} else if (ch < 0x80) {
			c->p++;
		} else {
			uint32_t cp;
			size_t len = utf8_decode(c->p, (size_t)(c->end - c->p), &cp);

			if (len == 0)
				return wrong(c, c->p, "invalid UTF-8");
			c->p += len;
		}
	}
	return wrong(c, open, "unterminated string");
}

static bool
check_digits(struct check *c)
{
	const char *from = c->p;

	while (c->p < c->end && *c->p >= '0' && *c->p <= '9')
		c->p++;
	return c->p > from;
}

static bool
check_number(struct check *c)
{
	const char *from = c->p;
	double v;
	char text[64];
	size_t n;

	c->p += *c->p == '-';
	if (c->p < c->end && *c->p == '0')
		c->p++;
	else if (!check_digits(c))
		return wrong(c, from, "not a value");
	if (c->p < c->end && *c->p == '.') {
		c->p++;
		if (!check_digits(c))
			return wrong(c, from, "bad number");
	}
	if (c->p < c->end && (*c->p == 'e' || *c->p == 'E')) {
		c->p++;
		c->p += c->p < c->end && (*c->p == '+' || *c->p == '-');
		if (!check_digits(c))
			return wrong(c, from, "bad number");
	}
	n = (size_t)(c->p - from);
	if (n < 16 && memchr(from, 'e', n) == NULL && memchr(from, 'E', n) == NULL)
		return true;
	if (n >= sizeof(text))
		return wrong(c, from, "number too long");
	memcpy(text, from, n);
	text[n] = '\0';
	v = strtod(text, NULL);
	if (v - v != 0)
		return wrong(c, from, "number out of range");
	return true;
}

static uint64_t
hash(const char *p, size_t n)
{
	uint64_t h = 14695981039346656037u;

	for (size_t i = 0; i < n; i++)
		h = (h ^ (unsigned char)p[i]) * 1099511628211u;
	return h;
}

static int
by_hash(const void *a, const void *b)
{
	const struct key *x = a, *y = b;

	return x->hash < y->hash ? -1 : x->hash > y->hash;
}

static void
add_key(struct check *c, const char *p, size_t len, bool escaped)
{
	struct key k = {0, p + 1, len - 2};

	if (escaped) {
		struct scan v = {p, len, '"'};
		char *d = scan_dup(v);

		k.hash = hash(d, strlen(d));
		free(d);
	} else {
		k.hash = hash(k.p, k.len);
	}
	if (c->nkeys == c->cap) {
		c->cap = c->cap == 0 ? 64 : 2 * c->cap;
		c->keys = mem_grow(c->keys, c->cap, sizeof(*c->keys));
	}
	c->keys[c->nkeys++] = k;
}

/* 64-bit hashes stand for the keys: two keys that collide by chance (once in
 * 10^12 objects of 1,000 keys) are refused as duplicates, never let through. */
static bool
keys_unique(struct check *c, size_t from)
{
	struct key *k = c->keys + from;
	size_t n = c->nkeys - from;

	if (n <= 24) {
		for (size_t i = 1; i < n; i++)
			for (size_t j = 0; j < i; j++)
				if (k[i].hash == k[j].hash)
					return wrong(c, k[i].p, "duplicate key");
		return true;
	}
	qsort(k, n, sizeof(*k), by_hash);
	for (size_t i = 1; i < n; i++)
		if (k[i].hash == k[i - 1].hash)
			return wrong(c, k[i].p > k[i - 1].p ? k[i].p : k[i - 1].p, "duplicate key");
	return true;
}

static bool
check_object(struct check *c, int depth)
{
	size_t from = c->nkeys;
	const char *open = c->p++;

	blanks(c);
	if (c->p < c->end && *c->p == '}') {
		c->p++;
		return true;
	}
	for (;;) {
		const char *key;
		bool escaped;

		blanks(c);
		if (c->p >= c->end)
			return wrong(c, open, "unterminated object");
		if (*c->p != '"')
			return wrong(c, c->p, "expected a quoted member name");
		key = c->p;
		if (!check_string(c, &escaped))
			return false;
		add_key(c, key, (size_t)(c->p - key), escaped);
		blanks(c);
		if (c->p >= c->end || *c->p != ':')
			return wrong(c, c->p, "expected ':'");
		c->p++;
		if (!check_value(c, depth + 1))
			return false;
		blanks(c);
		if (c->p < c->end && *c->p == ',') {
			c->p++;
			continue;
		}
		if (c->p < c->end && *c->p == '}') {
			bool ok = keys_unique(c, from);

			c->p++;
			c->nkeys = from;
			return ok;
		}
		return c->p >= c->end ? wrong(c, open, "unterminated object") :
		    wrong(c, c->p, "expected ',' or '}'");
	}
}

static bool
check_array(struct check *c, int depth)
{
	const char *open = c->p++;

	blanks(c);
	if (c->p < c->end && *c->p == ']') {
		c->p++;
		return true;
	}
	for (;;) {
		if (!check_value(c, depth + 1))
			return false;
		blanks(c);
		if (c->p < c->end && *c->p == ',') {
			c->p++;
			continue;
		}
		if (c->p < c->end && *c->p == ']') {
			c->p++;
			return true;
		}
		return c->p >= c->end ? wrong(c, open, "unterminated array") :
		    wrong(c, c->p, "expected ',' or ']'");
	}
}

static bool
check_word(struct check *c, const char *word)
{
	size_t n = strlen(word);

	if ((size_t)(c->end - c->p) < n || memcmp(c->p, word, n) != 0)
		return wrong(c, c->p, "not a value");
	c->p += n;
	return true;
}

static bool
check_value(struct check *c, int depth)
{
	bool escaped;

	blanks(c);
	if (c->p >= c->end)
		return wrong(c, c->p, "unexpected end");
	if (depth > SCAN_DEPTH)
		return wrong(c, c->p, "nested too deep");
	switch (*c->p) {
	case '{':
		return check_object(c, depth);
	case '[':
		return check_array(c, depth);
	case '"':
		return check_string(c, &escaped);
	case 't':
		return check_word(c, "true");
	case 'f':
		return check_word(c, "false");
	case 'n':
		return check_word(c, "null");
	default:
		return check_number(c);
	}
}

int
scan_check(const char *s, size_t n, struct err *e)
{
	struct check c = {.start = s, .p = s, .end = s + n};
	long line = 1, column = 1;

	if (check_value(&c, 1)) {
		blanks(&c);
		if (c.p < c.end)
			wrong(&c, c.p, *c.p == '\0' ? "NUL byte" : "trailing bytes");
	}
	free(c.keys);
	if (c.wrong == NULL)
		return 0;
	for (const char *p = s; p < c.at; p++) {
		column = *p == '\n' ? 1 : column + 1;
		line += *p == '\n';
	}
	return err_set(e, VIV_CONFIG, "line %ld, column %ld: %s", line, column, c.wrong);
}
