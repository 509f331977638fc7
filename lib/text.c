/* text: slices of UTF-8 text, and whole words in them. */
#include "text.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "utf8.h"

struct text
text_of(const char *s)
{
	return (struct text){s, strlen(s)};
}

char *
text_dup(struct text t)
{
	return mem_ndup(t.p, t.n);
}

bool
text_same(struct text a, struct text b)
{
	return a.n == b.n && strncasecmp(a.p, b.p, a.n) == 0;
}

/* The code point at offset at, its length in *len_out; what is not UTF-8 is a sign. */
static uint32_t
code_at(struct text t, size_t at, size_t *len_out)
{
	uint32_t cp;

	*len_out = utf8_decode(t.p + at, t.n - at, &cp);
	if (*len_out == 0) {
		*len_out = 1;
		return '?';
	}
	return cp;
}

/* The code point that ends before offset at. */
static uint32_t
code_before(struct text t, size_t at, size_t *len_out)
{
	size_t from = at - 1;

	while (from > 0 && at - from < 4 && ((unsigned char)t.p[from] & 0xc0) == 0x80)
		from--;
	*len_out = at - from;
	return code_at((struct text){t.p, at}, from, &(size_t){0});
}

static bool
stripped(uint32_t cp, const char *set)
{
	return utf8_blank(cp) || (cp > 0 && cp < 0x80 && strchr(set, (int)cp) != NULL);
}

struct text
text_lstrip(struct text t, const char *set)
{
	size_t len;

	while (t.n > 0 && stripped(code_at(t, 0, &len), set))
		t = (struct text){t.p + len, t.n - len};
	return t;
}

struct text
text_strip(struct text t, const char *set)
{
	size_t len;

	t = text_lstrip(t, set);
	while (t.n > 0 && stripped(code_before(t, t.n, &len), set))
		t.n -= len;
	return t;
}

struct text
text_trim(struct text t)
{
	return text_strip(t, "");
}

char *
text_cut(struct text t, size_t max)
{
	size_t keep = utf8_prefix(t.p, t.n, max);

	return keep < t.n ? mem_fmt("%.*s...", (int)keep, t.p) : text_dup(t);
}

bool
text_next(struct text *rest, const char *set, struct text *piece_out)
{
	size_t n = 0;

	if (rest->p == NULL)
		return false;
	while (n < rest->n && (rest->p[n] == '\0' || strchr(set, rest->p[n]) == NULL))
		n++;
	*piece_out = (struct text){rest->p, n};
	*rest = n < rest->n ? (struct text){rest->p + n + 1, rest->n - n - 1} : (struct text){0};
	return true;
}

static bool
boundary(struct text t, size_t at)
{
	size_t len;

	return at == t.n || !utf8_word(code_at(t, at, &len));
}

/* Where the letters of word end from at on; 0 when they are not there. */
static size_t
spelled(struct text t, size_t at, const char *word)
{
	size_t len;

	for (; *word != '\0' && *word != '+'; word++) {
		if (at >= t.n)
			return 0;
		if (*word == ' ') {
			size_t from = at;

			while (at < t.n && utf8_blank(code_at(t, at, &len)))
				at += len;
			if (at == from)
				return 0;
		} else if ((t.p[at] >= 'A' && t.p[at] <= 'Z' ? t.p[at] | 0x20 : t.p[at]) == *word) {
			at++;
		} else {
			return 0;
		}
	}
	return at;
}

size_t
text_word_at(struct text t, size_t at, const char *word)
{
	static const char *const bent[] = {"s", "es", "d", "ed", "ing"};
	size_t end, len;

	if (at > 0 && utf8_word(code_before(t, at, &len)))
		return 0;
	end = spelled(t, at, word);
	if (end == 0)
		return 0;
	if (boundary(t, end))
		return end - at;
	for (size_t i = 0; word[strlen(word) - 1] == '+' && i < sizeof(bent) / sizeof(bent[0]);
	     i++) {
		size_t last = spelled(t, end, bent[i]);

		if (last > 0 && boundary(t, last))
			return last - at;
	}
	return 0;
}

bool
text_find(struct text t, const char *const *words, size_t *at_out, size_t *len_out)
{
	for (size_t at = 0; at < t.n; at++) {
		if (((unsigned char)t.p[at] & 0xc0) == 0x80)
			continue;
		for (const char *const *w = words; *w != NULL; w++) {
			size_t len = text_word_at(t, at, *w);

			if (len == 0)
				continue;
			*at_out = at;
			*len_out = len;
			return true;
		}
	}
	return false;
}

size_t
text_words(struct text t)
{
	size_t n = 0, len;
	bool in = false;

	for (size_t at = 0; at < t.n; at += len) {
		bool blank = utf8_blank(code_at(t, at, &len));

		n += !blank && !in;
		in = !blank;
	}
	return n;
}
