/*
 * rule: matching words with what one program may be given. Default deny.
 *
 * The danger here is two readings of one argv: if we took a word for the value of the
 * flag before it and the program took it for a flag, anything could be smuggled in.
 * Therefore
 *  - a flag is allowed only by its exact name (no abbreviations of long flags);
 *  - a cluster of short flags is walked as getopt(3) does, and each must be named;
 *  - a value in a word of its own must not begin with '-' (numbers like -5 may), so
 *    that it is harmless even where a version of the program does not take it. To give
 *    such a value, attach it: --regexp=-x, -e-x. find is the exception: its predicates
 *    have taken a fixed number of words for fifty years, and -mtime -7 must work;
 *  - words after "--" are positional, and words before it that begin with '-' are flags
 *    wherever they stand, as GNU programs permute them.
 *
 * Values and positional words may have to match patterns (match_ok): shell patterns
 * divided by '|'; those that begin with '!' refuse, and when there are others, one of
 * them must match.
 */
#include "rule.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "words.h"

struct walk {
	const char *name;		/* "git log", for messages */
	char **in;
	int n, at;
	char **out;
	int nout, cap;
	struct err *e;
};

static void
emit(struct walk *w, const char *word)
{
	if (w->nout + 2 > w->cap) {
		w->cap = w->cap != 0 ? w->cap * 2 : 16;
		w->out = mem_grow(w->out, (size_t)w->cap, sizeof(*w->out));
	}
	w->out[w->nout++] = mem_dup(word);
	w->out[w->nout] = NULL;
}

static bool
match_ok(const char *match, const char *word)
{
	bool need = false, found = false, bad = false;
	char *list, *rest, *one;

	if (match == NULL)
		return true;
	list = rest = mem_dup(match);
	while ((one = strsep(&rest, "|")) != NULL) {
		bool deny = *one == '!';
		bool hit = fnmatch(one + deny, word, 0) == 0;

		bad = bad || (deny && hit);
		need = need || !deny;
		found = found || (!deny && hit);
	}
	free(list);
	return !bad && (found || !need);
}

const struct rule_flag *
rule_flag_find(const struct rule *r, const char *name, size_t len)
{
	for (size_t i = 0; i < r->nflags; i++)
		if (strlen(r->flags[i].name) == len && memcmp(r->flags[i].name, name, len) == 0)
			return &r->flags[i];
	return NULL;
}

static bool
number_word(const char *s)
{
	return *s == '-' && s[1] != '\0' && s[1 + strspn(s + 1, "0123456789")] == '\0';
}

static int
refuse_word(struct walk *w, const char *fmt_what, const char *word)
{
	char shown[WORDS_SHOW];

	return err_set(w->e, VIV_REFUSED, "%s '%s' of '%s' is not allowed", fmt_what,
	    words_show(shown, word), w->name);
}

static int
value_ok(struct walk *w, const struct rule_flag *f, const char *value)
{
	char shown[WORDS_SHOW];

	if (match_ok(f->match, value))
		return 0;
	return err_set(w->e, VIV_REFUSED, "value '%s' of flag '%s' of '%s' is not allowed",
	    words_show(shown, value), f->name, w->name);
}

/* The flag's values in words of their own; w->at is the flag's word. */
static int
take_values(struct walk *w, const struct rule_flag *f, bool dash_ok)
{
	for (int i = 0; i < f->values; i++) {
		char shown[WORDS_SHOW];
		const char *v = w->at + 1 < w->n ? w->in[w->at + 1] : NULL;

		if (v == NULL)
			return err_set(
			    w->e, VIV_REFUSED, "flag '%s' of '%s' needs a value", f->name, w->name);
		if (*v == '-' && v[1] != '\0' && !dash_ok && !number_word(v))
			return err_set(w->e, VIV_REFUSED,
			    "value '%s' of flag '%s' begins with a dash: "
			    "attach it to the flag",
			    words_show(shown, v), f->name);
		if (value_ok(w, f, v) != 0)
			return -VIV_REFUSED;
		emit(w, v);
		w->at++;
	}
	return 0;
}

static int
long_flag(const struct rule *r, struct walk *w)
{
	const char *word = w->in[w->at];
	size_t len = strcspn(word, "=");
	const struct rule_flag *f = rule_flag_find(r, word, len);

	if (f == NULL)
		return refuse_word(w, "flag", word);
	emit(w, word);
	if (word[len] == '\0')
		return take_values(w, f, false);
	if (f->values != 1 && !f->optional)
		return err_set(w->e, VIV_REFUSED, "flag '%s' of '%s' takes no attached value",
		    f->name, w->name);
	return value_ok(w, f, word + len + 1);
}

static int
short_flags(const struct rule *r, struct walk *w)
{
	const char *word = w->in[w->at];

	if (number_word(word) && rule_flag_find(r, "-#", 2) != NULL) {
		emit(w, word);
		return 0;
	}
	for (const char *c = word + 1; *c != '\0'; c++) {
		char name[3] = {'-', *c, '\0'};
		const struct rule_flag *f = rule_flag_find(r, name, 2);

		if (f == NULL || *c == '-' || *c == '#')
			return refuse_word(w, "flag", (unsigned char)*c < 0x80 ? name : word);
		if (f->values == 0 && !f->optional)
			continue;
		emit(w, word);
		if (c[1] != '\0' && f->values == 2)
			return err_set(w->e, VIV_REFUSED,
			    "flag '%s' of '%s' takes no attached value", name, w->name);
		return c[1] != '\0' ? value_ok(w, f, c + 1) : take_values(w, f, false);
	}
	emit(w, word);
	return 0;
}

static int
predicate(const struct rule *r, struct walk *w)
{
	const char *word = w->in[w->at];
	const struct rule_flag *f = rule_flag_find(r, word, strlen(word));

	if (f == NULL)
		return refuse_word(w, "flag", word);
	emit(w, word);
	return take_values(w, f, true);
}

static int
positional(const struct rule *r, struct walk *w, int *count)
{
	const char *word = w->in[w->at];

	if (!match_ok(r->match, word))
		return refuse_word(w, "word", word);
	if (r->max >= 0 && ++*count > r->max)
		return err_set(w->e, VIV_REFUSED,
		    "'%s' may have at most %d word%s besides its flags", w->name, r->max,
		    r->max == 1 ? "" : "s");
	if (r->max < 0)
		++*count;
	emit(w, word);
	return 0;
}

/* The words from w->at on; with subcommands, those up to the subcommand's name. */
static int
walk_words(const struct rule *r, struct walk *w)
{
	bool flags_end = r->style == RULE_FREE;
	int count = 0, rc = 0;

	for (; rc == 0 && w->at < w->n; w->at++) {
		const char *word = w->in[w->at];

		if (flags_end || *word != '-' || word[1] == '\0') {
			if (r->nsub > 0)
				return 0;
			rc = positional(r, w, &count);
		} else if (r->style == RULE_FIND) {
			rc = predicate(r, w);
		} else if (strcmp(word, "--") == 0 && r->nsub == 0) {
			emit(w, word);
			flags_end = true;
		} else {
			rc = word[1] == '-' ? long_flag(r, w) : short_flags(r, w);
		}
	}
	if (rc == 0 && count < r->min)
		rc = err_set(w->e, VIV_REFUSED, "'%s' needs at least %d word%s besides its flags",
		    w->name, r->min, r->min == 1 ? "" : "s");
	return rc;
}

static void
insert(const struct rule *r, struct walk *w)
{
	for (char **s = r->insert; s != NULL && *s != NULL; s++)
		emit(w, *s);
}

static int
subcommand(const struct rule *r, struct walk *w)
{
	char *full;
	int rc;

	if (w->at >= w->n)
		return err_set(w->e, VIV_REFUSED, "'%s' needs a subcommand", r->name);
	for (size_t i = 0; i < r->nsub; i++) {
		const struct rule *s = &r->sub[i];

		if (strcmp(s->name, w->in[w->at]) != 0)
			continue;
		emit(w, s->name);
		insert(s, w);
		full = mem_fmt("%s %s", r->name, s->name);
		w->name = full;
		w->at++;
		rc = walk_words(s, w);
		w->name = r->name;
		free(full);
		return rc;
	}
	return refuse_word(w, "subcommand", w->in[w->at]);
}

int
rule_match(const struct rule *r, char **argv, int argc, char ***out, int *argc_out, struct err *e)
{
	struct walk w = {.name = r->name, .in = argv, .n = argc, .at = 1, .e = e};
	int rc;

	emit(&w, argv[0]);
	insert(r, &w);
	rc = walk_words(r, &w);
	if (rc == 0 && r->nsub > 0)
		rc = subcommand(r, &w);
	if (rc != 0) {
		words_free(w.out);
		return rc;
	}
	*out = w.out;
	*argc_out = w.nout;
	return 0;
}
