/*
 * intent: what a prompt wants, wants kept and wants left alone.
 *
 * The text is cut at runs of . ! ? and each sentence asked for key words. Words are whole
 * ones, some of which may be bent: "notes" does not say "not", as it does in the
 * reference (core.md 2.8), and "adds" says "add". It is a help for the model's attention,
 * nothing is decided by it.
 */
#include "intent.h"

#include <stdlib.h>
#include <string.h>

#include "json.h"
#include "task.h"
#include "text.h"
#include "utf8.h"

enum {
	GOAL_CHARS = 200,
	GOAL_LONG = 10,			/* characters of a goal that says something */
	TEXT_MIN = 50, TEXT_MAX = 500,	/* length of a text that says enough, exclusive */
	CONSTRAINTS_COUNTED = 3
};

static const char *const goal_words[] = {"create+", "creating", "build+", "implement+", "add+",
    "fix+", "update+", "updating", "refactor+", "modify", "modifies", "modified", "modifying",
    "change+", "changing", "make+", "making", "generate+", "generating", "write+", "writing", NULL};
static const char *const must_words[] = {"must", "don't", "don\xe2\x80\x99t", "never", "always",
    "only", "require+", "need+", "important", "critical", "essential", "mandatory", NULL};
static const char *const wish_words[] = {"prefer+", "preferred", "preferably", "if possible",
    "ideally", "would be nice", "optionally", "optional", "bonus", "extra", "also", NULL};
static const char *const shun_words[] = {"not", "without", "don't", "don\xe2\x80\x99t", "no need",
    "skip+", "avoid+", "exclude+", "leave out", "ignore+", NULL};
static const char *const fillers[] = {"please", "and", "but", "so", "also", NULL};

/* Behind which of these the thing to be left alone is named. */
static const char *const tails[] = {"don't", "don\xe2\x80\x99t", "do not", "never", "avoid",
    "skip", "without", "no need to", "no need for", "exclude", "leave out", "ignore", NULL};

/* The next sentence that is not empty. */
static bool
next_sentence(struct text *rest, struct text *out)
{
	while (text_next(rest, ".!?", out)) {
		*out = text_trim(*out);
		if (out->n > 0)
			return true;
	}
	return false;
}

static bool
says(struct text t, const char *const *words)
{
	size_t at, len;

	return text_find(t, words, &at, &len);
}

static struct text
without_filler(struct text t)
{
	for (const char *const *f = fillers; *f != NULL; f++) {
		size_t len = text_word_at(t, 0, *f);
		struct text rest = {t.p + len, t.n - len};

		if (len > 0 && (rest = text_lstrip(rest, ",")).n > 0)
			return rest;
	}
	return t;
}

static struct text
tail_of(struct text t)
{
	size_t at, len;
	struct text rest;

	if (!text_find(t, tails, &at, &len))
		return t;
	rest = text_trim((struct text){t.p + at + len, t.n - at - len});
	return rest.n > 0 ? rest : t;
}

static void
push_once(cJSON *list, struct text t)
{
	const cJSON *v;
	char *s;

	cJSON_ArrayForEach(v, list)
		if (text_same(text_of(v->valuestring), t))
			return;
	s = text_dup(t);
	json_push(list, cJSON_CreateString(s));
	free(s);
}

static char *
goal_of(const char *text)
{
	struct text rest = text_of(text), s, first = {0};

	while (next_sentence(&rest, &s)) {
		if (first.p == NULL)
			first = s;
		if (says(s, goal_words))
			return text_dup(s);
	}
	if (first.p == NULL)
		first = text_trim(text_of(text));
	return first.n > 0 ? text_cut(first, GOAL_CHARS) : mem_dup("(no goal is named)");
}

static double
confidence(const char *goal, int constraints, const char *text)
{
	size_t n = utf8_count(text, strlen(text));
	double c = 0.5;

	if (utf8_count(goal, strlen(goal)) > GOAL_LONG)
		c += 0.2;
	c += 0.1 * (constraints < CONSTRAINTS_COUNTED ? constraints : CONSTRAINTS_COUNTED);
	if (n > TEXT_MIN && n < TEXT_MAX)
		c += 0.1;
	return c < 1 ? c : 1;
}

cJSON *
intent_extract(const char *text)
{
	cJSON *v = json_new(), *must = json_list(), *wish = json_list(), *shun = json_list();
	struct text rest = text_of(text), s;
	char *goal = goal_of(text);

	while (next_sentence(&rest, &s)) {
		if (says(s, must_words))
			push_once(must, without_filler(s));
		if (says(s, wish_words))
			push_once(wish, s);
		if (says(s, shun_words))
			push_once(shun, tail_of(s));
	}
	json_set_str(v, "goal", goal);
	json_set(v, "constraints", must);
	json_set(v, "preferences", wish);
	json_set(v, "anti_goals", shun);
	json_set(v, "clarifications", json_list());
	json_set_str(v, "original_text", text);
	json_set_num(v, "confidence", confidence(goal, cJSON_GetArraySize(must), text));
	free(goal);
	return v;
}

/* A list of strings: v itself, or what is a string in it. */
static cJSON *
strings(const cJSON *v)
{
	cJSON *list = json_list();
	const cJSON *item;

	if (cJSON_IsString(v) && *v->valuestring != '\0')
		json_push(list, cJSON_CreateString(v->valuestring));
	if (cJSON_IsArray(v))
		cJSON_ArrayForEach(item, v)
			if (cJSON_IsString(item))
				json_push(list, cJSON_CreateString(item->valuestring));
	return list;
}

cJSON *
intent_of(const cJSON *task)
{
	static const char *const list[] = {
	    "constraints", "preferences", "anti_goals", "clarifications"};
	const cJSON *seed = json_obj(task, "phase4_intent");
	const char *prompt = task_prompt(task), *goal, *original;
	cJSON *v;

	if (seed == NULL)
		seed = json_obj(task, "intent");
	if (seed == NULL)
		return prompt != NULL ? intent_extract(prompt) : NULL;
	goal = json_str(seed, "goal");
	original = json_str(seed, "original_text");
	v = json_new();
	json_set_str(v, "goal", goal != NULL ? goal : prompt != NULL ? prompt : "");
	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++)
		json_set(v, list[i], strings(json_get(seed, list[i])));
	json_set_str(v, "original_text", original != NULL ? original : prompt);
	json_set_num(v, "confidence", json_num(seed, "confidence", 0.5));
	return v;
}

static void
put_list(struct buf *out, const char *title, const cJSON *list)
{
	const cJSON *v;
	bool any = false;

	buf_str(out, title);
	cJSON_ArrayForEach(v, list) {
		buf_fmt(out, "%s%s", any ? ", " : "", v->valuestring);
		any = true;
	}
	buf_str(out, any ? "\n" : "none\n");
}

void
intent_block(const cJSON *intent, struct buf *out)
{
	const cJSON *asked = json_arr(intent, "clarifications");

	buf_str(out, "What the task is taken to mean.\n");
	buf_fmt(out, "Goal: %s\n", json_str(intent, "goal"));
	put_list(out, "Constraints: ", json_arr(intent, "constraints"));
	put_list(out, "To be left alone: ", json_arr(intent, "anti_goals"));
	put_list(out, "Preferences: ", json_arr(intent, "preferences"));
	if (cJSON_GetArraySize(asked) > 0)
		put_list(out, "Made clear since: ", asked);
	buf_str(out, "Before you answer, ask yourself: does it reach this goal, within these "
	    "constraints?\n");
}
