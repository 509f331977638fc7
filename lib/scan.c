/*
 * scan: JSON text read in place, without building a tree.
 *
 * The iterators trust the fence of scan_check.c: they find the end of a value by
 * counting brackets outside strings and are several times faster than a tree, which
 * is what lets a claim look at 100,000 tasks or log lines.
 */
#include "scan.h"

#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "num.h"
#include "utf8.h"

/* --- iterating --- */

static const char *
skip_blanks(const char *p, const char *end)
{
	while (p < end && (*p == ' ' || *p == '\n' || *p == '\t' || *p == '\r'))
		p++;
	return p;
}

/* p is at the opening quote; returns the byte after the closing one. */
static const char *
skip_string(const char *p, const char *end)
{
	p++;
	for (;;) {
		const char *q = p < end ? memchr(p, '"', (size_t)(end - p)) : NULL;
		const char *b;

		if (q == NULL)
			return end;
		for (b = q; b > p && b[-1] == '\\'; b--)
			;
		p = q + 1;
		if ((q - b) % 2 == 0)
			return p;
	}
}

static const char *
skip_value(const char *p, const char *end)
{
	long depth = 0;

	if (p < end && *p == '"')
		return skip_string(p, end);
	if (p < end && *p != '{' && *p != '[') {
		while (p < end && *p != ',' && *p != '}' && *p != ']' && *p != ' ' && *p != '\n' &&
		    *p != '\t' && *p != '\r')
			p++;
		return p;
	}
	while (p < end) {
		if (*p == '"') {
			p = skip_string(p, end);
			continue;
		}
		if (*p == '{' || *p == '[')
			depth++;
		if ((*p == '}' || *p == ']') && --depth == 0)
			return p + 1;
		p++;
	}
	return end;
}

static struct scan
value_at(const char *p, const char *end)
{
	struct scan v = {p, 0, '\0'};

	if (p >= end)
		return v;
	v.len = (size_t)(skip_value(p, end) - p);
	v.kind = *p == '-' || (*p >= '0' && *p <= '9') ? '0' : *p;
	return v;
}

struct scan
scan_text(const char *s, size_t n)
{
	return value_at(skip_blanks(s, s + n), s + n);
}

bool
scan_item(struct scan arr, size_t *at, struct scan *val)
{
	const char *end = arr.p + arr.len, *p;

	if (arr.kind != '[')
		return false;
	p = skip_blanks(arr.p + (*at == 0 ? 1 : *at), end);
	if (p < end && *p == ',' && *at != 0)
		p = skip_blanks(p + 1, end);
	if (p >= end || *p == ']')
		return false;
	*val = value_at(p, end);
	*at = (size_t)(val->p + val->len - arr.p);
	return val->len > 0;
}

bool
scan_member(struct scan obj, size_t *at, struct scan *key, struct scan *val)
{
	const char *end = obj.p + obj.len, *p;

	if (obj.kind != '{')
		return false;
	p = skip_blanks(obj.p + (*at == 0 ? 1 : *at), end);
	if (p < end && *p == ',' && *at != 0)
		p = skip_blanks(p + 1, end);
	if (p >= end || *p != '"')
		return false;
	*key = value_at(p, end);
	p = skip_blanks(p + key->len, end);
	if (p >= end || *p != ':')
		return false;
	*val = value_at(skip_blanks(p + 1, end), end);
	*at = (size_t)(val->p + val->len - obj.p);
	return val->len > 0;
}

struct scan
scan_get(struct scan obj, const char *name)
{
	struct scan key, val, none = {obj.p, 0, '\0'};
	size_t at = 0;

	while (scan_member(obj, &at, &key, &val))
		if (scan_eq(key, name))
			return val;
	return none;
}

bool
scan_eq(struct scan str, const char *s)
{
	size_t n = strlen(s);
	char *d;
	bool eq;

	if (str.kind != '"' || str.len < 2)
		return false;
	if (memchr(str.p, '\\', str.len) == NULL)
		return str.len == n + 2 && memcmp(str.p + 1, s, n) == 0;
	d = scan_dup(str);
	eq = d != NULL && strcmp(d, s) == 0;
	free(d);
	return eq;
}

/* Decode the escape at p (a backslash) into out; returns the byte after it. */
static const char *
decode_escape(const char *p, const char *end, char out[4], size_t *n)
{
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	const char *f;
	uint32_t u = '?', low;

	*n = 0;
	if (end - p < 2)
		return end;
	if (p[1] != 'u') {
		f = strchr(from, p[1]);
		out[(*n)++] = f != NULL && *f != '\0' ? to[f - from] : '?';
		return p + 2;
	}
	if (!num_hex4(p + 2, end, &u))
		return end;
	p += 6;
	if (u >= 0xd800 && u <= 0xdbff && end - p >= 6 && num_hex4(p + 2, end, &low)) {
		u = 0x10000 + ((u - 0xd800) << 10) + (low - 0xdc00);
		p += 6;
	}
	*n = utf8_encode(out, u);
	return p;
}

/* Decode into dst (at most size - 1 bytes; whole characters only). */
static size_t
decode(struct scan v, char *dst, size_t size)
{
	const char *p = v.p + 1, *end = v.p + v.len - 1;
	size_t out = 0;

	while (p < end) {
		char part[4];
		uint32_t cp;
		size_t n;

		if (*p == '\\') {
			p = decode_escape(p, end, part, &n);
		} else {
			n = utf8_decode(p, (size_t)(end - p), &cp);
			if (n == 0)
				n = 1;
			memcpy(part, p, n);
			p += n;
		}
		if (out + n >= size)
			break;
		memcpy(dst + out, part, n);
		out += n;
	}
	dst[out] = '\0';
	return out;
}

char *
scan_dup(struct scan v)
{
	char *s;

	if (v.kind != '"' || v.len < 2)
		return NULL;
	if (memchr(v.p, '\\', v.len) == NULL)
		return mem_ndup(v.p + 1, v.len - 2);
	s = mem_alloc(v.len);
	decode(v, s, v.len);
	return s;
}

size_t
scan_copy(struct scan v, char *dst, size_t size)
{
	dst[0] = '\0';
	if (v.kind != '"' || v.len < 2)
		return 0;
	return decode(v, dst, size);
}

double
scan_number(struct scan v, double dflt)
{
	char text[64];

	if (v.kind != '0' || v.len >= sizeof(text))
		return dflt;
	memcpy(text, v.p, v.len);
	text[v.len] = '\0';
	return strtod(text, NULL);
}

int64_t
scan_int(struct scan v, int64_t dflt)
{
	return num_whole(scan_number(v, (double)dflt), dflt);
}

bool
scan_true(struct scan v)
{
	return v.kind == 't';
}
