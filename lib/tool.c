/*
 * tool: which text files on how something is done fit a task.
 *
 * A file begins with its front matter, and the rest is what a model gets to read:
 *
 *	---
 *	name: read_json_safe
 *	description: Read JSON ...
 *	keywords: json read
 *	patterns: read~json, load~json
 *	---
 *	how it is done
 *
 * The first rule that finds something decides (reference core.md 2.13):
 *
 *	exact	 the text has a tool's name as a word: 1.0
 *	semantic the cosine of the words of the text and of the tool is 0.8 or more: that
 *	composed two or three of the three most similar ones reach 0.1: 0.7, all of them
 *	pattern	 words that begin like the parts of a pattern, in order on one line: 0.6
 *	generate nothing fits
 *
 * No model is asked which one. The words of a tool are those of its name, description and
 * keywords, from two characters on.
 */
#include "tool.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "buf.h"
#include "text.h"
#include "utf8.h"

enum { NAME_BYTES = 80 };
static const double semantic_min = 0.8, composed_min = 0.1;

/* --- bags of words --- */

struct word {
	char *s;
	int count;
};

struct tool_bag {
	struct word *v;		/* by s */
	size_t n;
	double norm;
};

static void
add_word(struct tool_bag *b, const char *p, size_t n)
{
	b->v = mem_grow(b->v, b->n + 1, sizeof(*b->v));
	b->v[b->n].s = mem_ndup(p, n);
	for (char *c = b->v[b->n].s; *c != '\0'; c++)
		if (*c >= 'A' && *c <= 'Z')
			*c |= 0x20;
	b->v[b->n++].count = 1;
}

static int
by_word(const void *a, const void *b)
{
	return strcmp(((const struct word *)a)->s, ((const struct word *)b)->s);
}

static struct tool_bag *
bag_of(const char *text)
{
	struct tool_bag *b = mem_zero(1, sizeof(*b));
	size_t n = strlen(text), from = 0, chars = 0, len, k = 0;

	for (size_t i = 0; i <= n; i += len) {
		uint32_t cp = ' ';

		len = i < n ? utf8_decode(text + i, n - i, &cp) : 1;
		len = len > 0 ? len : 1;
		if (i < n && utf8_word(cp)) {
			from = chars++ == 0 ? i : from;
			continue;
		}
		if (chars >= 2)
			add_word(b, text + from, i - from);
		chars = 0;
	}
	if (b->n > 0)
		qsort(b->v, b->n, sizeof(*b->v), by_word);
	for (size_t i = 1; i < b->n; i++) {
		if (strcmp(b->v[k].s, b->v[i].s) == 0) {
			b->v[k].count++;
			free(b->v[i].s);
		} else {
			b->v[++k] = b->v[i];
		}
	}
	b->n = b->n > 0 ? k + 1 : 0;
	for (size_t i = 0; i < b->n; i++)
		b->norm += (double)b->v[i].count * b->v[i].count;
	b->norm = sqrt(b->norm);
	return b;
}

static void
bag_free(struct tool_bag *b)
{
	for (size_t i = 0; b != NULL && i < b->n; i++)
		free(b->v[i].s);
	if (b != NULL)
		free(b->v);
	free(b);
}

static double
cosine(const struct tool_bag *a, const struct tool_bag *b)
{
	double dot = 0;
	size_t i = 0, j = 0;

	while (i < a->n && j < b->n) {
		int c = strcmp(a->v[i].s, b->v[j].s);

		if (c == 0)
			dot += (double)a->v[i].count * b->v[j].count;
		i += c <= 0;
		j += c >= 0;
	}
	return dot > 0 ? dot / (a->norm * b->norm) : 0;
}

/* --- one file --- */

static bool
name_fits(const char *s)
{
	size_t n = strlen(s);

	return n > 0 && n <= NAME_BYTES &&
	    strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_-") == n;
}

static void
take(struct tool *t, struct text line)
{
	static const char *const key[] = {"name", "description", "keywords", "patterns"};
	char **const member[] = {&t->name, &t->description, &t->keywords, &t->patterns};

	for (size_t i = 0; i < sizeof(key) / sizeof(key[0]); i++) {
		size_t n = strlen(key[i]);

		if (line.n <= n || strncmp(line.p, key[i], n) != 0 || line.p[n] != ':')
			continue;
		free(*member[i]);
		*member[i] = text_dup(text_trim((struct text){line.p + n + 1, line.n - n - 1}));
	}
}

static void
clear(struct tool *t)
{
	free(t->name);
	free(t->description);
	free(t->keywords);
	free(t->patterns);
	free(t->body);
	bag_free(t->bag);
	*t = (struct tool){0};
}

int
tool_parse(struct tool *t, const char *text, size_t n, struct err *e)
{
	struct text rest = {text, n}, line;
	bool open = false, closed = false;
	char *words;
	int rc = 0;

	*t = (struct tool){0};
	if (utf8_invalid(text, n) != n || memchr(text, '\0', n) != NULL)
		return err_set(e, VIV_CONFIG, "not UTF-8 text");
	while (!closed && text_next(&rest, "\n", &line)) {
		bool rule = text_same(text_trim(line), text_of("---"));

		if (!open && !rule)
			break;
		closed = open && rule;
		open = true;
		take(t, line);
	}
	if (!closed)
		rc = err_set(e, VIV_CONFIG, "no front matter between two lines '---'");
	else if (t->name == NULL || !name_fits(t->name))
		rc = err_set(e, VIV_CONFIG, "no 'name' of small letters, digits, '_' and '-'");
	else if (t->description == NULL || *t->description == '\0')
		rc = err_set(e, VIV_CONFIG, "no 'description'");
	if (rc != 0) {
		clear(t);
		return rc;
	}
	t->body = text_dup(text_trim(rest.p != NULL ? rest : text_of("")));
	words = mem_fmt(
	    "%s %s %s", t->name, t->description, t->keywords != NULL ? t->keywords : "");
	t->bag = bag_of(words);
	free(words);
	return 0;
}

void
tool_add(struct tool_list *l, struct tool *t)
{
	for (size_t i = 0; i < l->n; i++)
		if (strcmp(l->v[i].name, t->name) == 0) {
			clear(t);
			return;
		}
	l->v = mem_grow(l->v, l->n + 1, sizeof(*l->v));
	l->v[l->n++] = *t;
	*t = (struct tool){0};
}

void
tool_free(struct tool_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		clear(&l->v[i]);
	free(l->v);
	*l = (struct tool_list){0};
}

/* --- routing --- */

size_t
tool_similar(const struct tool_list *l, const char *text, struct tool_score out[TOOL_ROUTED])
{
	struct tool_bag *bag = bag_of(text);
	size_t n = 0;

	for (size_t i = 0; i < l->n; i++) {
		double score = cosine(bag, l->v[i].bag);
		size_t at = n;

		while (at > 0 && out[at - 1].score < score)
			at--;
		if (at == TOOL_ROUTED)
			continue;
		if (n < TOOL_ROUTED)
			n++;
		memmove(out + at + 1, out + at, (n - 1 - at) * sizeof(*out));
		out[at] = (struct tool_score){&l->v[i], score};
	}
	bag_free(bag);
	return n;
}

/* Where, from at on, a word begins with the part; beyond it, or 0. */
static size_t
begins(struct text line, size_t at, struct text part)
{
	for (; part.n > 0 && at + part.n <= line.n; at++) {
		unsigned char before = at > 0 ? (unsigned char)line.p[at - 1] : ' ';

		if (before < 0x80 && !utf8_word(before) &&
		    strncasecmp(line.p + at, part.p, part.n) == 0)
			return at + part.n;
	}
	return 0;
}

static bool
pattern_on(struct text line, struct text pattern)
{
	struct text part;
	size_t at = 0;

	if (pattern.n == 0)
		return false;
	while (text_next(&pattern, "~", &part))
		if ((at = begins(line, at, text_trim(part))) == 0)
			return false;
	return true;
}

static bool
pattern_in(const char *text, const char *patterns)
{
	struct text lines = text_of(text), line, rest, one;

	while (patterns != NULL && text_next(&lines, "\n\r", &line)) {
		rest = text_of(patterns);
		while (text_next(&rest, ",", &one))
			if (pattern_on(line, text_trim(one)))
				return true;
	}
	return false;
}

static struct tool_route
one(enum tool_way way, const struct tool *t, double confidence, int64_t cost)
{
	return (struct tool_route){way, {t}, 1, confidence, cost};
}

void
tool_route(const struct tool_list *l, const char *text, struct tool_route *out)
{
	struct tool_score top[TOOL_ROUTED];
	size_t n, at, len;

	for (size_t i = 0; i < l->n; i++) {
		const char *const name[] = {l->v[i].name, NULL};

		if (text_find(text_of(text), name, &at, &len)) {
			*out = one(TOOL_EXACT, &l->v[i], 1, 0);
			return;
		}
	}
	n = tool_similar(l, text, top);
	if (n > 0 && top[0].score >= semantic_min) {
		*out = one(TOOL_SEMANTIC, top[0].tool, top[0].score, 0);
		return;
	}
	*out = (struct tool_route){.way = TOOL_COMPOSED, .confidence = 0.7, .cost = 1000};
	while (out->n < n && top[out->n].score >= composed_min) {
		out->tool[out->n] = top[out->n].tool;
		out->n++;
	}
	if (out->n >= 2)
		return;
	for (size_t i = 0; i < l->n; i++)
		if (pattern_in(text, l->v[i].patterns)) {
			*out = one(TOOL_PATTERN, &l->v[i], 0.6, 100);
			return;
		}
	*out = (struct tool_route){.way = TOOL_GENERATE, .cost = -1};
}

const char *
tool_way_name(enum tool_way w)
{
	static const char *const name[] = {"generate", "exact", "semantic", "composed", "pattern"};

	return name[w];
}
