/*
 * decide: what a person, a jury or a second model says about work that waits for it.
 *
 * Nobody reviews what he wrote: whoever claimed any attempt of the task, or asked for
 * it by name, is refused, with and without the "human:" that people's names carry
 * in the log. An approval is of bytes, not of a name: the stored result must still
 * have the SHA-256 that the waiting event recorded. Only then the decision takes the
 * task's next slot (lib/commit.c), so two people cannot both decide, nor a person and
 * a resident, nor a person and a jury.
 */
#include "decide.h"

#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "commit.h"
#include "file.h"
#include "json.h"
#include "outcome.h"
#include "scan.h"
#include "votes.h"

enum { RESULT_MAX = 16 * 1024 * 1024 };

#define HUMAN "human:"

struct authors {
	const char *id, *who;
	bool wrote;
};

static const char *
bare(const char *who)
{
	return strncmp(who, HUMAN, sizeof(HUMAN) - 1) == 0 ? who + sizeof(HUMAN) - 1 : who;
}

static bool
same_person(struct scan v, const char *who)
{
	char *name = scan_dup(v);
	bool same = name != NULL && strcmp(bare(name), bare(who)) == 0;

	free(name);
	return same;
}

static int
look_for_author(const struct log_line *line, void *arg)
{
	struct authors *a = arg;
	struct scan obj = scan_text(line->p, line->len);

	if (!scan_eq(scan_get(obj, "task_id"), a->id))
		return 0;
	if (scan_eq(scan_get(obj, "status"), "in_progress"))
		a->wrote |= same_person(scan_get(obj, "resident_id"), a->who) ||
		    same_person(scan_get(obj, "identity_id"), a->who);
	a->wrote |= same_person(scan_get(scan_get(obj, "task"), "author_id"), a->who);
	return 0;
}

int
decide_check_author(const struct decide *d, const char *id, struct err *e)
{
	struct authors a = {id, d->who, false};
	struct log all;
	int rc = log_open(&all, d->w, e);

	if (rc != 0)
		return rc;
	rc = log_read(&all, look_for_author, &a, e);
	log_close(&all);
	if (rc == 0 && a.wrote)
		rc = err_set(e, VIV_REFUSED, "'%s' has a part in '%s' and cannot review it",
		    d->who, id);
	return rc;
}

static int
read_result(const struct world *w, const char *name, const char *want, cJSON **out, struct err *e)
{
	char hash[FILE_SHA256];
	struct buf text = {0};
	int rc = file_read(w->fd, name, RESULT_MAX, &text, e);

	if (rc == -VIV_NO)
		rc = err_set(e, VIV_CONFIG, "'%s' is missing: no evidence of what was produced",
		    name);
	if (rc == 0) {
		file_sha256(text.p != NULL ? text.p : "", text.len, hash);
		if (want == NULL || strcmp(want, hash) != 0)
			rc = err_set(e, VIV_CONFIG,
			    "'%s' is not the result that was logged: its SHA-256 differs", name);
		else if ((*out = json_parse(text.p != NULL ? text.p : "", text.len, e)) == NULL)
			rc = err_prefix(e, "'%s'", name);
	}
	buf_free(&text);
	return rc;
}

/* The generation whose result an event is about. */
static int64_t
generation_of(const cJSON *ev)
{
	return json_int(ev, "result_generation", json_int(ev, "generation", 0));
}

int
decide_rebuild(const struct world *w, const char *id, const cJSON *ev, cJSON **line_out,
    struct err *e)
{
	char *name =
	    mem_fmt("%s/%s.%lld.json", WORLD_RESULTS, id, (long long)generation_of(ev));
	cJSON *file = NULL, *line;
	int rc = read_result(w, name, json_str(ev, "result_sha256"), &file, e);

	free(name);
	if (rc != 0)
		return rc;
	line = json_new();
	if (json_obj(file, "task") != NULL) {
		cJSON_Delete(line);
		line = cJSON_DetachItemFromObjectCaseSensitive(file, "task");
	}
	json_set_str(line, "id", id);
	for (const char *const *m = (const char *const[]){"claim", "result", NULL}; *m != NULL; m++)
		if (json_obj(file, *m) != NULL)
			json_set(line, *m, cJSON_DetachItemFromObjectCaseSensitive(file, *m));
	json_set_str(line, "status", "approved");
	json_set_bool(line, "committed", true);
	cJSON_Delete(file);
	*line_out = line;
	return 0;
}

/* What the final event repeats of the one that waited. */
static void
repeat(cJSON *ev, const cJSON *waiting)
{
	static const char *const member[] = {"result_sha256", "result_summary", "exit_code"};

	for (size_t i = 0; i < sizeof(member) / sizeof(member[0]); i++) {
		const cJSON *v = json_get(waiting, member[i]);

		if (v != NULL)
			json_set(ev, member[i], cJSON_Duplicate(v, true));
	}
	if (json_str(waiting, "result_sha256") != NULL)
		json_set_num(ev, "result_generation", (double)generation_of(waiting));
}

static cJSON *
decision(const struct decide *d, const char *status, const cJSON *waiting)
{
	bool approved = strcmp(status, "approved") == 0, requeue = strcmp(status, "requeue") == 0;
	const char *reason = d->reason != NULL ? d->reason : approved ? "approved by a person" :
	    requeue ? "sent back by a person" : "rejected by a person";
	cJSON *ev = json_new();

	json_set_str(ev, "status", status);
	json_set_str(ev, "reason", reason);
	json_set_str(ev, "review_verdict", approved ? "APPROVE" : "REJECT");
	if (requeue)		/* his wish, not the task's fault */
		json_set_bool(ev, "counted", false);
	repeat(ev, waiting);
	/* Whoever tries again is told this (lib/claim.c). */
	if (d->reason != NULL && !approved) {
		json_set(ev, "review_issues", json_list());
		json_push(json_arr(ev, "review_issues"), cJSON_CreateString(d->reason));
	}
	return ev;
}

bool
decide_waits(const struct fold_task *t)
{
	return t != NULL && t->status == TASK_PENDING_REVIEW && t->final;
}

static int
by_time(const void *a, const void *b)
{
	const struct fold_task *x = *(struct fold_task *const *)a;
	const struct fold_task *y = *(struct fold_task *const *)b;

	return x->when != y->when ? (x->when < y->when ? -1 : 1) : strcmp(x->id, y->id);
}

struct fold_task **
decide_waiting(const struct fold *f, size_t *n_out)
{
	struct fold_task **v = mem_alloc((f->n + 1) * sizeof(struct fold_task *));
	size_t n = 0;

	for (size_t i = 0; i < f->cap; i++)
		if (decide_waits(f->table[i]))
			v[n++] = f->table[i];
	qsort(v, n, sizeof(struct fold_task *), by_time);
	*n_out = n;
	return v;
}

/* The task waits; its last event in *waiting_out. */
static int
find_waiting(const struct decide *d, const char *id, cJSON **waiting_out,
    const struct fold_task **task_out, struct err *e)
{
	const struct fold_task *t = fold_get(d->fold, id);

	if (t == NULL)
		return err_set(e, VIV_NO, "'%s' is not in the log", id);
	if (!decide_waits(t))
		return err_set(e, VIV_NO, "'%s' does not wait for a review: it is %s", id,
		    task_status_name((enum task_status)t->status));
	*waiting_out = fold_event(d->fold, d->log, t);
	*task_out = t;
	return task_id_check(id, e);
}

/* While a jury or a model has its turn, only a person may come before it. */
static int
check_turn(const struct decide *d, const char *id, const cJSON *waiting, struct err *e)
{
	if (json_arr(waiting, "jury") == NULL ||
	    strncmp(d->who, HUMAN, sizeof(HUMAN) - 1) == 0 ||
	    votes_turn(waiting, NULL, clock_wall(), NULL) != VOTES_BY_JURY)
		return 0;
	return err_set(e, VIV_REFUSED, "'%s' is for its jury to decide, or for a person: "
	    "'%s' can only vote", id, d->who);
}

int
decide_task(const struct decide *d, const char *id, const char *status, cJSON **line_out,
    struct err *e)
{
	static const struct critic yes = {.verdict = "APPROVE", .confidence = 1};
	const struct fold_task *t;
	cJSON *waiting = NULL, *ev;
	int rc = find_waiting(d, id, &waiting, &t, e);

	*line_out = NULL;
	if (rc == 0 && (rc = check_turn(d, id, waiting, e)) == 0)
		rc = decide_check_author(d, id, e);
	if (rc == 0 && strcmp(status, "approved") == 0 &&
	    (rc = decide_rebuild(d->w, id, waiting, line_out, e)) == 0)
		outcome_note(*line_out, &yes, 0, d->who);
	if (rc == 0 && !d->dry) {
		ev = decision(d, status, waiting);
		rc = commit_decide(d->log, id, d->who, fold_base(t), ev, NULL, e);
		cJSON_Delete(ev);
	}
	if (rc != 0) {
		cJSON_Delete(*line_out);
		*line_out = NULL;
	}
	cJSON_Delete(waiting);
	return rc;
}

/* The event of a verdict on the line, which keeps no trace of it. */
static cJSON *
verdict_event(const struct decide *d, cJSON *line, const struct critic *v, const cJSON *waiting)
{
	int attempt = (int)json_int(waiting, "attempt", json_int(waiting, "review_attempt", 1));
	cJSON *made = outcome_end(line, v, attempt, d->who), *ev = cJSON_Duplicate(made, true);

	json_del(line, "events");
	json_set_bool(line, "committed", true);
	outcome_note(line, v, attempt, d->who);
	json_set_num(ev, "attempt", attempt);
	if (v->accepted) {
		char *reason = mem_fmt("approved by %s", d->who);

		json_set_str(ev, "reason", reason);
		free(reason);
	}
	json_set(ev, "review_suggestions", cJSON_Duplicate(v->suggestions, true));
	repeat(ev, waiting);
	return ev;
}

int
decide_verdict(const struct decide *d, const char *id, const struct critic *v, cJSON **line_out,
    struct err *e)
{
	const struct fold_task *t;
	cJSON *waiting = NULL, *line = NULL, *ev;
	int rc = find_waiting(d, id, &waiting, &t, e);

	*line_out = NULL;
	if (rc == 0)
		rc = decide_rebuild(d->w, id, waiting, &line, e);
	if (rc == 0) {
		ev = verdict_event(d, line, v, waiting);
		if (!d->dry)
			rc = commit_decide(d->log, id, d->who, fold_base(t), ev, NULL, e);
		cJSON_Delete(ev);
	}
	if (rc == 0 && v->accepted) {
		*line_out = line;
		line = NULL;
	}
	cJSON_Delete(line);
	cJSON_Delete(waiting);
	return rc;
}
