/*
 * split: is a prompt many tasks in one, and which ones.
 *
 * A prompt is complex with two of five signals: 220 characters, three lines, a word
 * that connects steps, two commas or semicolons, clauses put together. Its steps are
 * its lines, cut at semicolons and colons; at commas, when they divide steps and do not
 * describe ("using examples"); and at the connecting words. What is shorter than 8
 * characters is no step. All lengths are code points.
 */
#include "split.h"

#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "text.h"
#include "utf8.h"

enum { LONG_CHARS = 220, STEP_CHARS = 8, GOAL_CHARS = 240 };

static const char *const connectors[] = {
    "and then", "then", "also", "plus", "after that", "next", "finally", NULL};

/* --- signals --- */

static size_t
count_of(struct text t, const char *set)
{
	size_t n = 0;

	for (size_t i = 0; i < t.n; i++)
		n += t.p[i] != '\0' && strchr(set, t.p[i]) != NULL;
	return n;
}

static bool
connected(struct text t)
{
	size_t at, len;

	return text_find(t, connectors, &at, &len);
}

unsigned
split_signals(const char *prompt)
{
	struct text t = text_trim(text_of(prompt));
	size_t commas = count_of(t, ",;");
	bool connects = connected(t);

	return (utf8_count(t.p, t.n) >= LONG_CHARS ? 1U : 0) | (count_of(t, "\n") >= 2 ? 2U : 0) |
	    (connects ? 4U : 0) | (commas >= 2 ? 8U : 0) |
	    (commas >= 2 || count_of(t, ":") > 0 || (connects && commas > 0) ? 16U : 0);
}

const char *
split_signal_name(int bit)
{
	static const char *const name[SPLIT_SIGNALS] = {"long_prompt", "multi_line",
	    "sequencing_connectors", "comma_enumeration", "compound_clauses"};

	return bit >= 0 && bit < SPLIT_SIGNALS ? name[bit] : NULL;
}

int
split_score(unsigned signals)
{
	int n = 0;

	for (; signals != 0; signals &= signals - 1)
		n++;
	return n;
}

/* --- steps --- */

struct steps {
	cJSON *list;
	size_t most;
};

static void
add_step(struct steps *s, struct text t)
{
	const cJSON *v;
	char *copy;

	if ((size_t)cJSON_GetArraySize(s->list) >= s->most)
		return;
	cJSON_ArrayForEach(v, s->list)
		if (text_same(text_of(v->valuestring), t))
			return;
	copy = text_dup(t);
	json_push(s->list, cJSON_CreateString(copy));
	free(copy);
}

static struct text
without_filler(struct text t)
{
	static const char *const fillers[] = {"please", "can you", "could you", "i want you to",
	    "let's", "lets", NULL};

	t = text_trim(t);
	for (const char *const *f = fillers; *f != NULL; f++) {
		size_t len = text_word_at(t, 0, *f);

		if (len > 0)
			return (struct text){t.p + len, t.n - len};
	}
	return t;
}

/* Step 4: cut at the connecting words. */
static void
add_clause(struct steps *s, struct text t)
{
	bool more = true;

	while (more) {
		size_t at = t.n, len = 0;
		struct text piece;

		more = text_find(t, connectors, &at, &len);
		piece = text_strip(without_filler((struct text){t.p, more ? at : t.n}), ".,-");
		if (utf8_count(piece.p, piece.n) >= STEP_CHARS)
			add_step(s, piece);
		t = (struct text){t.p + at + len, t.n - at - len};
	}
}

static bool
describes(struct text t)
{
	static const char *const leads[] = {"with", "using", "via", "for", "including", "without",
	    "where", "when", "while", "because", NULL};

	for (const char *const *l = leads; *l != NULL; l++) {
		size_t len = text_word_at(t, 0, *l);

		if (len > 0 && len < t.n && t.p[len] == ' ')
			return true;
	}
	return false;
}

/* Step 3: do the commas of the clause divide steps? */
static bool
commas_divide(struct text clause)
{
	struct text rest = clause, piece;
	size_t n = 0;
	bool steps = true;

	while (text_next(&rest, ",", &piece)) {
		piece = text_trim(piece);
		if (piece.n == 0)
			continue;
		n++;
		steps &= !describes(piece) && text_words(piece) >= 2;
	}
	return n >= 3 || (n == 2 && (connected(clause) || steps));
}

/* Steps 1 to 4 of reference core.md 2.7. */
static void
add_text(struct steps *s, struct text text)
{
	struct text line, clause, piece;

	while (text_next(&text, "\n\r", &line)) {
		line = text_lstrip(line, "-*0123456789.");
		while (text_next(&line, ";:", &clause)) {
			bool divide = commas_divide(clause);

			while (text_next(&clause, divide ? "," : "", &piece))
				add_clause(s, piece);
		}
	}
}

static void
keep_first(cJSON *list, size_t n)
{
	while ((size_t)cJSON_GetArraySize(list) > n)
		cJSON_DeleteItemFromArray(list, cJSON_GetArraySize(list) - 1);
}

cJSON *
split_features(const char *text, const char *goal, size_t limit, size_t *found_out)
{
	size_t most = limit < SPLIT_FEATURES_MAX ? limit : SPLIT_FEATURES_MAX;
	struct steps s = {json_list(), most < 2 ? 2 : most};
	struct text whole = text_trim(text_of(goal != NULL && *goal != '\0' ? goal : text));
	size_t found;

	add_text(&s, text_of(text));
	found = (size_t)cJSON_GetArraySize(s.list);
	if (found == 0)
		whole.n = utf8_prefix(whole.p, whole.n, GOAL_CHARS);
	if (found < 2)
		add_step(&s, whole);
	keep_first(s.list, limit < 1 ? 1 : limit);
	if (found_out != NULL)
		*found_out = found;
	return s.list;
}
