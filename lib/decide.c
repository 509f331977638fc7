/*
 * decide: what a person says about work that waits for one.
 *
 * Nobody reviews what he wrote: whoever claimed any attempt of the task, or asked for
 * it by name, is refused, with and without the "human:" that people's names carry
 * in the log. An approval is of bytes, not of a name: the stored result must still
 * have the SHA-256 that the waiting event recorded. Only then the decision takes the
 * task's next slot (lib/commit.c), so two people cannot both decide, nor a person and
 * a resident.
 */
#include "decide.h"

#include <stdlib.h>
#include <string.h>

#include "commit.h"
#include "file.h"
#include "json.h"
#include "scan.h"

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

static int
check_author(const struct decide *d, const char *id, struct err *e)
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
read_result(const struct decide *d, const char *name, const char *want, cJSON **out, struct err *e)
{
	char hash[FILE_SHA256];
	struct buf text = {0};
	int rc = file_read(d->w->fd, name, RESULT_MAX, &text, e);

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

/* The task line of the waiting attempt, from its result file. */
static int
rebuild(const struct decide *d, const struct fold_task *t, const cJSON *waiting, cJSON **line_out,
    struct err *e)
{
	char *name = mem_fmt("%s/%s.%lld.json", WORLD_RESULTS, t->id, (long long)t->generation);
	cJSON *file = NULL, *line, *note;
	int rc = read_result(d, name, json_str(waiting, "result_sha256"), &file, e);

	free(name);
	if (rc != 0)
		return rc;
	line = json_new();
	if (json_obj(file, "task") != NULL) {
		cJSON_Delete(line);
		line = cJSON_DetachItemFromObjectCaseSensitive(file, "task");
	}
	json_set_str(line, "id", t->id);
	for (const char *const *m = (const char *const[]){"claim", "result", NULL}; *m != NULL; m++)
		if (json_obj(file, *m) != NULL)
			json_set(line, *m, cJSON_DetachItemFromObjectCaseSensitive(file, *m));
	note = json_new();
	json_set_str(note, "verdict", "APPROVE");
	json_set_str(note, "by", d->who);
	json_set(line, "review", note);
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

int
decide_task(const struct decide *d, const char *id, const char *status, cJSON **line_out,
    struct err *e)
{
	const struct fold_task *t = fold_get(d->fold, id);
	cJSON *waiting, *ev;
	int rc;

	*line_out = NULL;
	if (t == NULL)
		return err_set(e, VIV_NO, "'%s' is not in the log", id);
	if (!decide_waits(t))
		return err_set(e, VIV_NO, "'%s' does not wait for a review: it is %s", id,
		    task_status_name((enum task_status)t->status));
	if ((rc = task_id_check(id, e)) != 0 || (rc = check_author(d, id, e)) != 0)
		return rc;
	waiting = fold_event(d->fold, d->log, t);
	if (strcmp(status, "approved") == 0)
		rc = rebuild(d, t, waiting, line_out, e);
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
