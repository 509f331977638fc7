/*
 * split: is a prompt many tasks in one, and which ones.
 *
 * A prompt is complex with two of five signals: 220 characters, three lines, a word
 * that connects steps, two commas or semicolons, clauses put together. Its steps are
 * its lines, cut at semicolons and colons; at commas, when they divide steps and do not
 * describe ("using examples"); and at the connecting words. What is shorter than 8
 * characters is no step. All lengths are code points.
 *
 * The children are a chain: each depends on the one before, the first on what the parent
 * depends on. Their ids follow from the parent's, so that doing it again makes the same.
 * They are never split again. One step alone is no reason to split: the goal, which the
 * reference appends then, is not counted.
 */
#include "split.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "intent.h"
#include "json.h"
#include "task.h"
#include "text.h"
#include "utf8.h"

enum { LONG_CHARS = 220, STEP_CHARS = 8, GOAL_CHARS = 240, STEPS_MAX = 1000, FRAME_CHARS = 600 };

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
	struct steps s = {json_list(), limit < 2 ? 2 : limit < STEPS_MAX ? limit : STEPS_MAX};
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

/* --- money --- */

void
split_budget(int64_t *min, int64_t *max, size_t n)
{
	*min /= (int64_t)n;
	*max /= (int64_t)n;
	if (*max > 0 && *min > *max)
		*min = *max;
}

static int64_t
micro(const cJSON *task, const char *name, int64_t dflt)
{
	const cJSON *v = json_get(task, name);

	return cJSON_IsNumber(v) && v->valuedouble >= 0 && v->valuedouble <= 1e6 ?
	    llround(v->valuedouble * 1e6) : dflt;
}

/* --- candidates --- */

static bool
requested(const cJSON *task)
{
	const char *how = json_str(task, "decompose");

	return (how != NULL && *how != '\0') || json_bool(task, "decompose", false) ||
	    json_bool(task, "split", false) || json_bool(task, "plan", false) ||
	    json_bool(task, "phase4_plan_request", false);
}

bool
split_wanted(const cJSON *task)
{
	const char *prompt = task_prompt(task);

	return requested(task) ||
	    (prompt != NULL && split_score(split_signals(prompt)) >= SPLIT_COMPLEX);
}

bool
split_candidate(const cJSON *task)
{
	return task_prompt(task) != NULL && !task_is_local(task) && task_command(task) == NULL &&
	    json_str(task, "id") != NULL && !json_bool(task, "phase4_planned", false) &&
	    !json_bool(task, "phase4_generated", false) && !json_bool(task, "phase4_skip", false);
}

/* --- the plan --- */

static cJSON *
gut_check(unsigned signals)
{
	cJSON *v = json_new(), *names = json_list();

	for (int i = 0; i < SPLIT_SIGNALS; i++)
		if ((signals & 1U << i) != 0)
			json_push(names, cJSON_CreateString(split_signal_name(i)));
	json_set_num(v, "complexity_score", split_score(signals));
	json_set(v, "signals", names);
	json_set_bool(v, "should_decompose", split_score(signals) >= SPLIT_COMPLEX);
	return v;
}

static char *
child_prompt(const char *id, const char *step, size_t k, size_t n, size_t max_chars)
{
	char *cut = text_cut(text_of(step),
	    max_chars > 2 * FRAME_CHARS ? max_chars - FRAME_CHARS : FRAME_CHARS);
	char *prompt = mem_fmt("Step %zu of %zu of the task '%s': %s\n\n"
	    "Do this step alone, as the smallest piece of work that can be verified, and say how "
	    "to verify it.%s", k, n, id, cut,
	    k > 1 ? " The step before it is done; what it produced is in the context." : "");

	free(cut);
	return prompt;
}

static void
inherit(cJSON *child, const cJSON *task, const char *const *names)
{
	for (; *names != NULL; names++) {
		const cJSON *v = json_get(task, *names);

		if (v != NULL && !cJSON_IsNull(v))
			json_set(child, *names, cJSON_Duplicate(v, true));
	}
}

/* What the task waits for, as a list; one alone may stand without. */
static cJSON *
deps_of(const cJSON *task)
{
	const cJSON *v = json_get(task, "depends_on");
	cJSON *list;

	if (cJSON_IsArray(v))
		return cJSON_Duplicate(v, true);
	list = json_list();
	if (cJSON_IsNumber(v) || (cJSON_IsString(v) && *v->valuestring != '\0'))
		json_push(list, cJSON_Duplicate(v, true));
	return list;
}

static cJSON *
child_of(const cJSON *task, const struct split_plan *p, const char *step, size_t k, size_t n,
    size_t max_chars)
{
	static const char *const more[] = {"mode", "model", "priority", "tags", "identity_id",
	    "resident_identity", "author_id", "review", "system", "max_tokens", "temperature",
	    "timeout", "deadline", "max_attempts", "on_dependency_failure", NULL};
	static const char *const intensity[] = {"intensity", NULL};
	const char *id = json_str(task, "id"), *type = json_str(task, "type");
	int64_t min = micro(task, "min_budget", SPLIT_MIN_BUDGET);
	int64_t max = micro(task, "max_budget", SPLIT_MAX_BUDGET);
	char *prompt = child_prompt(id, step, k, n, max_chars), *own, *before;
	cJSON *c = json_new();

	own = mem_fmt("%s__phase4_%02zu", id, k);
	before = mem_fmt("%s__phase4_%02zu", id, k - 1);
	split_budget(&min, &max, n);
	json_set_str(c, "id", own);
	json_set_str(c, "type", type != NULL ? type : "cycle");
	json_set_str(c, "prompt", prompt);
	json_set_num(c, "min_budget", (double)(max > 0 || min == 0 ? min : 0) / 1e6);
	json_set_num(c, "max_budget", (double)max / 1e6);
	inherit(c, task, intensity);
	json_set(c, "depends_on", k == 1 ? deps_of(task) : json_list());
	if (k > 1)
		json_push(json_arr(c, "depends_on"), cJSON_CreateString(before));
	json_set_bool(c, "parallel_safe", json_bool(task, "parallel_safe", true));
	json_set_bool(c, "phase4_generated", true);
	json_set_bool(c, "phase4_skip", true);
	json_set_str(c, "phase4_parent_task", id);
	json_set(c, "phase4_intent", cJSON_Duplicate(p->intent, true));
	json_set_str(c, "status", "pending");
	inherit(c, task, more);
	free(before);
	free(own);
	free(prompt);
	return c;
}

static void
fill(struct split_plan *p, const cJSON *task, cJSON *features, unsigned signals, size_t max_chars)
{
	size_t n = (size_t)cJSON_GetArraySize(features), k = 0;
	cJSON *ids = json_list();
	const cJSON *f;

	p->children = json_list();
	cJSON_ArrayForEach(f, features) {
		cJSON *c = child_of(task, p, f->valuestring, ++k, n, max_chars);

		json_push(ids, cJSON_CreateString(json_str(c, "id")));
		json_push(p->children, c);
	}
	p->plan = json_new();
	json_set(p->plan, "gut_check", gut_check(signals));
	json_set(p->plan, "features", features);
	json_set(p->plan, "subtasks", ids);
}

int
split_plan(
    const cJSON *task, bool force, size_t max_chars, struct split_plan *out, struct err *e)
{
	double most = json_num(task, "max_subtasks", 0);
	const char *prompt = task_prompt(task), *original, *id = json_str(task, "id");
	size_t found;
	cJSON *features;

	*out = (struct split_plan){0};
	if (!split_candidate(task) || !(force || split_wanted(task)))
		return 0;
	out->intent = intent_of(task);
	original = json_str(out->intent, "original_text");
	features = split_features(original != NULL ? original : prompt,
	    json_str(out->intent, "goal"),
	    most >= 1 && most <= STEPS_MAX ? (size_t)most : SPLIT_FEATURES, &found);
	if (found < 2 || cJSON_GetArraySize(features) < 2) {
		cJSON_Delete(features);
		split_plan_free(out);
		return 0;
	}
	fill(out, task, features, split_signals(prompt), max_chars);
	if (task_id_check(json_str(cJSON_GetArrayItem(out->children,
		cJSON_GetArraySize(out->children) - 1), "id"), e) == 0)
		return 1;
	split_plan_free(out);
	return err_set(e, VIV_CONFIG, "'%.40s...' leaves no room for the ids of its steps", id);
}

void
split_plan_free(struct split_plan *p)
{
	cJSON_Delete(p->children);
	cJSON_Delete(p->plan);
	cJSON_Delete(p->intent);
	*p = (struct split_plan){0};
}

void
split_parent(cJSON *task, const struct split_plan *p)
{
	cJSON *deps = deps_of(task);
	const cJSON *id, *d;

	cJSON_ArrayForEach(id, json_arr(p->plan, "subtasks")) {
		bool there = false;

		cJSON_ArrayForEach(d, deps)
			there |= cJSON_IsString(d) && strcmp(d->valuestring, id->valuestring) == 0;
		if (!there)
			json_push(deps, cJSON_CreateString(id->valuestring));
	}
	json_set(task, "depends_on", deps);
	json_set_bool(task, "phase4_planned", true);
	json_set(task, "phase4_intent", cJSON_Duplicate(p->intent, true));
	json_set(task, "phase4_plan", cJSON_Duplicate(p->plan, true));
}
