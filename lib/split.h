/*
 * split: is a prompt many tasks in one, and which ones (reference core.md 2.7). Pure; lib/split.c
 * opens with the rules.
 */
#ifndef VIV_SPLIT_H
#define VIV_SPLIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cjson/cJSON.h>

#include "err.h"

enum {
	SPLIT_FEATURES = 5,		/* children, unless the task has max_subtasks */
	SPLIT_MIN_BUDGET = 50000,	/* micro-dollars, when the task names none; */
	SPLIT_MAX_BUDGET = 100000
};

/* Signals of a complex prompt: one bit each, in this order. */
enum { SPLIT_SIGNALS = 5, SPLIT_COMPLEX = 2 };
unsigned split_signals(const char *prompt);
const char *split_signal_name(int bit);
int split_score(unsigned signals);	/* complex from SPLIT_COMPLEX on */

/*
 * The steps named in a text, at most limit (1 at least): strings; the caller deletes.
 * goal stands in when none or only one is named. *found_out (may be NULL): how many the
 * text itself named.
 */
cJSON *split_features(const char *text, const char *goal, size_t limit, size_t *found_out);

/* The shares of each of n children, micro-dollars, rounded down; the least at most the most,
 * unless the most is nothing. */
void split_budget(int64_t *min, int64_t *max, size_t n);

/* May it be split: a prompt for a model, not split before, none of its own parts? */
bool split_candidate(const cJSON *task);

/* Is its prompt complex, or does the task ask for it? */
bool split_wanted(const cJSON *task);

/* What a task becomes. split_plan_free frees. */
struct split_plan {
	cJSON *children;	/* array of tasks, in their order */
	cJSON *plan;		/* "phase4_plan" of the parent */
	cJSON *intent;		/* "phase4_intent" */
};

/*
 * The plan for a task: 1; 0: it is one piece, or no candidate. force: whether complex or
 * not. max_chars: what a prompt may have. -VIV_CONFIG: its id leaves no room for
 * those of children.
 */
int split_plan(const cJSON *task, bool force, size_t max_chars, struct split_plan *out,
    struct err *e);
void split_plan_free(struct split_plan *p);

/* Make the task a parent: it depends on its children and says that it is planned. */
void split_parent(cJSON *task, const struct split_plan *p);

#endif
