/*
 * divide: a claimed task becomes several, and is done when they are.
 *
 *   1. under the board's lock: is the claim still ours, and what does the board say of the
 *	task? If it is planned there already, somebody crashed behind step 2: go to 4;
 *   2. one replacement of the board adds the children and makes the parent depend on
 *	them, so no reader sees the one without the other;
 *   3. the children's `queued` events (lib/post.c says what a crash before them leaves);
 *   4. the parent's attempt ends as a requeue that does not count. It waits for its
 *	children by the dependency, and nothing else of the life cycle is new.
 *
 * The children's ids follow from the parent's, so whatever was interrupted, by whomever, is
 * done again with the same outcome: a child that board or log knows is not posted again.
 * A dead claimer's task is taken over, and the new claimer arrives at step 1.
 *
 * When the parent is claimed again its children are done. Its result is theirs, in their
 * order, with the hash of each; it is stored as evidence and reviewed like any other.
 */
#include "divide.h"

#include <stdlib.h>
#include <string.h>

#include "attempt.h"
#include "backoff.h"
#include "clock.h"
#include "json.h"
#include "product.h"
#include "reply.h"
#include "slot.h"
#include "split.h"
#include "stage.h"

enum { TRIES = 8, PAUSE_MS = 100, EARLY_S = 5 };

#define WHO "viv-split"

/* --- posting --- */

/* Is the child there already? 1, 0, or -VIV_NO when its id is somebody else's. */
static int
known(const struct post *p, const char *parent, const cJSON *child, struct err *e)
{
	const char *id = json_str(child, "id"), *of;
	long at = board_find(&p->board, id);
	cJSON *task;
	bool ours;

	if (at < 0)
		return fold_get(&p->fold, id) != NULL;
	task = board_task(&p->board, (size_t)at);
	of = json_str(task, "phase4_parent_task");
	ours = of != NULL && strcmp(of, parent) == 0;
	cJSON_Delete(task);
	return ours ? 1 : err_set(e, VIV_NO, "id '%s' is taken by another task", id);
}

/* The children that are not there yet, borrowed from the plan; *n_out of them. */
static int
missing(const struct post *p, const char *parent, const struct split_plan *plan, cJSON **out,
    size_t *n_out, struct err *e)
{
	cJSON *child;
	int rc;

	*n_out = 0;
	cJSON_ArrayForEach(child, plan->children) {
		rc = known(p, parent, child, e);
		if (rc == 0 && (rc = post_check(p, child, e)) == 0)
			out[(*n_out)++] = child;
		if (rc < 0)
			return -VIV_NO;
	}
	return post_limit(p, *n_out, e) == 0 ? 0 : -VIV_NO;
}

/* The board with the parent's new text and the children behind. */
static int
replace(struct post *p, size_t at, const cJSON *parent, cJSON *const *child, size_t n,
    struct err *e)
{
	const struct board *b = &p->board;
	struct scan old = b->v[at].text;
	struct buf edited = {0}, all = {0};
	int rc;

	buf_add(&edited, b->text.p, (size_t)(old.p - b->text.p));
	json_print(&edited, parent);
	buf_add(&edited, old.p + old.len, b->text.len - (size_t)(old.p - b->text.p) - old.len);
	if (n > 0)
		board_splice(edited.p, edited.len, child, n, &all);
	else
		buf_add(&all, edited.p, edited.len);
	rc = board_replace(&p->board, p->w, all.p, all.len, e);
	buf_free(&edited);
	buf_free(&all);
	return rc;
}

/* Steps 2 and 3. */
static int
post(struct post *p, size_t at, cJSON *task, const struct split_plan *plan, size_t *added_out,
    struct err *e)
{
	cJSON **child = mem_zero((size_t)cJSON_GetArraySize(plan->children), sizeof(*child));
	int rc = missing(p, json_str(task, "id"), plan, child, added_out, e);

	split_parent(task, plan);
	if (rc == 0)
		rc = replace(p, at, task, child, *added_out, e);
	if (rc == 0)
		rc = post_record(p, WHO, child, *added_out, e);
	free(child);
	return rc;
}

/* Step 4. plan: "phase4_plan". */
static void
wait_for_steps(cJSON *line, const cJSON *plan, size_t added)
{
	static const char *const same[][2] = {{"features", "phase4_features"},
	    {"subtasks", "phase4_subtasks"}};
	char *why = mem_fmt("split into %d steps", cJSON_GetArraySize(json_arr(plan, "subtasks")));
	cJSON *ev = stage_requeue(line, why);

	json_set_bool(ev, "phase4_plan_generated", true);
	json_set_num(ev, "phase4_complexity_score",
	    json_num(json_obj(plan, "gut_check"), "complexity_score", 0));
	for (size_t i = 0; i < 2; i++)
		if (json_arr(plan, same[i][0]) != NULL)
			json_set(ev, same[i][1], cJSON_Duplicate(json_arr(plan, same[i][0]), true));
	json_set_num(ev, "phase4_subtasks_added", (double)added);
	free(why);
}

/* Under the board's lock. */
static int
divide_at(struct post *p, size_t at, cJSON *line, struct err *e)
{
	cJSON *task = board_task(&p->board, at);
	struct split_plan plan = {0};
	size_t added = 0;
	int rc = 0;

	if (json_bool(task, "phase4_planned", false)) {
		wait_for_steps(line, json_obj(task, "phase4_plan"), 0);
	} else {
		rc = split_plan(task, false, (size_t)p->lim.max_instruction_chars, &plan, e);
		if (rc > 0 && (rc = post(p, at, task, &plan, &added, e)) == 0)
			wait_for_steps(line, plan.plan, added);
		else if (rc == -VIV_CONFIG && plan.plan == NULL)
			rc = -VIV_NO;
	}
	split_plan_free(&plan);
	cJSON_Delete(task);
	return rc;
}

static int
divide_once(struct post *p, cJSON *line, struct err *e)
{
	const cJSON *claim = json_obj(line, "claim");
	const char *id = json_str(line, "id"), *token = json_str(claim, "token");
	int rc = post_begin(p, e);
	long at;

	if (rc != 0)
		return rc;
	at = board_find(&p->board, id);
	rc = slot_mine(p->w, id, json_int(claim, "generation", 0),
	    token != NULL ? token : "", e);
	if (rc == -VIV_REFUSED) {
		err_warn("%s", e->msg);
		json_set_str(line, "status", "lost");
		json_del(line, "events");
		rc = 0;
	} else if (rc == 0 && at < 0) {
		rc = err_set(e, VIV_NO, "'%s' is not on the board", id);
	} else if (rc == 0) {
		rc = divide_at(p, (size_t)at, line, e);
	}
	post_end(p);
	return rc;
}

int
divide_task(struct post *p, cJSON *line, struct err *e)
{
	int rc;

	for (int try = 0; (rc = divide_once(p, line, e)) == -VIV_TEMPFAIL; try++) {
		if (try == TRIES) {
			stage_requeue(line, e->msg);
			return 0;
		}
		clock_sleep_ms(PAUSE_MS);
	}
	return rc;
}

/* --- gathering --- */

/* All steps into the text of one answer, and the evidence of each: 0; -VIV_NO: a step is
 * not done. */
static int
gather(struct post *p, const cJSON *plan, struct buf *text, cJSON *evidence, struct err *e)
{
	const cJSON *id;
	int k = 0;

	cJSON_ArrayForEach(id, json_arr(plan, "subtasks")) {
		const char *step =
		    cJSON_GetStringValue(cJSON_GetArrayItem(json_arr(plan, "features"), k++));
		struct product one;
		cJSON *v = json_new();

		json_push(evidence, v);
		json_set_str(v, "id", id->valuestring);
		if (!fold_done(fold_get(&p->fold, id->valuestring)))
			return err_set(e, VIV_NO, "waits for '%s'", id->valuestring);
		if (product_read(&p->log, &p->fold, id->valuestring, &one, e) != 0)
			one.text = mem_fmt("(%s)", e->msg);
		else
			json_set_str(v, "sha256", one.sha256);
		buf_fmt(text, "%s## %d. %s\n\n%s\n", k > 1 ? "\n" : "", k,
		    step != NULL ? step : id->valuestring, one.text);
		if (one.file != NULL)
			json_set_str(v, "file", one.file);
		product_free(&one);
	}
	return 0;
}

/* Store the gathered text as the result of this attempt. */
static int
complete(struct post *p, cJSON **line, const char *text, cJSON *evidence, struct err *e)
{
	cJSON *given = json_new(), *res;
	struct attempt a;
	int rc;

	attempt_init(&a, p->w, *line);
	rc = attempt_hold(&a);
	if (rc == 0) {
		json_set_str(given, "status", "completed");
		json_set_str(given, "text", text);
		json_set_str(given, "finish_reason", "stop");
		json_set_str(given, "provider", WHO);
		json_set(given, "steps", cJSON_Duplicate(evidence, true));
		res = reply_result(given, (size_t)p->lim.max_result_chars);
		rc = attempt_store(&a, res, e);
		if (rc == 0)
			reply_record(a.line, res);
		else
			cJSON_Delete(res);
	}
	cJSON_Delete(given);
	*line = attempt_end(&a);
	return rc < 0 ? rc : 0;
}

/* Are the steps those that dividing the task makes, and not names that came by hand? */
static bool
divided(const char *id, const cJSON *plan)
{
	const cJSON *steps = json_arr(plan, "subtasks"), *s;
	char *prefix = mem_fmt("%s__phase4_", id);
	bool yes = cJSON_GetArraySize(steps) > 0;

	cJSON_ArrayForEach(s, steps)
		yes &= cJSON_IsString(s) && strncmp(s->valuestring, prefix, strlen(prefix)) == 0;
	free(prefix);
	return yes;
}

int
divide_gather(struct post *p, cJSON *line, struct err *e)
{
	const cJSON *plan = json_obj(line, "phase4_plan");
	cJSON *evidence;
	struct buf text = {0};
	int rc;

	if (!divided(json_str(line, "id"), plan))
		return err_set(e, VIV_NO, "'%s' says that it is planned, but names no steps",
		    json_str(line, "id"));
	rc = fold_read(&p->fold, &p->log, false, e);
	if (rc < 0)
		return rc;
	evidence = json_list();
	rc = gather(p, plan, &text, evidence, e);
	if (rc == 0) {
		rc = complete(p, &line, text.p, evidence, e);
	} else {
		/* The board says otherwise than we knew, or was edited: not at once again. */
		backoff_set(stage_requeue(line, e->msg), EARLY_S);
		rc = 0;
	}
	cJSON_Delete(evidence);
	buf_free(&text);
	return rc;
}
