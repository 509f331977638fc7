/*
 * commit: recording what was decided about a task.
 *
 * The slot decides who may end an attempt, the log line says what happened:
 *
 *   1. complete the event (who, when, which generation);
 *   2. an event that ends the attempt takes slot generation+1, which carries the
 *      event itself: from here on nobody else can end this attempt, and whoever comes
 *      next can finish the job should we die now (commit_repair);
 *      any other event only needs the claim to be ours still;
 *      what led to the end (the verdict before the approval) is appended first;
 *   3. append under the log's lock, unless a helper was faster;
 *   4. log_sync makes a burst durable, and only then removes the chain.
 *
 * A loser of step 2 records nothing: its line becomes "lost".
 */
#include "commit.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "json.h"
#include "rand.h"
#include "slot.h"
#include "stage.h"
#include "task.h"

enum { EVENTS_MAX = 16 };

struct attempt {
	const char *id, *resident, *identity, *token;
	int64_t generation;
	double attempt;			/* 0: none */
};

static bool
attempt_of(const cJSON *line, struct attempt *a)
{
	const cJSON *claim = json_obj(line, "claim");

	*a = (struct attempt){
		.id = json_str(line, "id"),
		.resident = json_str(claim, "resident_id"),
		.identity = json_str(claim, "identity_id"),
		.token = json_str(claim, "token"),
		.generation = json_int(claim, "generation", 0),
		.attempt = json_num(claim, "attempt", 0),
	};
	return a->id != NULL && a->resident != NULL && a->token != NULL && strlen(a->token) == 32 &&
	    a->generation > 0 && task_id_check(a->id, NULL) == 0;
}

/* A whole event line from a stage's short one. */
static cJSON *
complete(const struct attempt *a, const cJSON *brief)
{
	const char *status = json_str(brief, "status");
	cJSON *ev = log_event(a->id, a->resident, status, json_int(brief, "generation",
	    a->generation));
	const cJSON *m;

	cJSON_ArrayForEach(m, brief) {
		if (strcmp(m->string, "task_id") != 0 && strcmp(m->string, "resident_id") != 0 &&
		    strcmp(m->string, "worker_id") != 0)
			json_set(ev, m->string, cJSON_Duplicate(m, true));
	}
	if (json_bool(ev, "final", false) && a->attempt > 0)
		json_set_num(ev, "attempt", a->attempt);
	if (a->identity != NULL)
		json_set_str(ev, "identity_id", a->identity);
	return ev;
}

static bool
ends_attempt(enum task_status s)
{
	return s == TASK_APPROVED || s == TASK_FAILED || s == TASK_REQUEUE ||
	    s == TASK_READY_FOR_MERGE || s == TASK_SAFETY_BLOCKED;
}

/* The line's events as whole events; a bare new "status" makes one. */
static size_t
collect(const cJSON *line, const struct attempt *a, cJSON *out[EVENTS_MAX])
{
	const char *status = stage_status(line);
	const cJSON *events = json_arr(line, "events"), *ev;
	size_t n = 0;

	cJSON_ArrayForEach(ev, events) {
		if (json_str(ev, "status") != NULL && n < EVENTS_MAX)
			out[n++] = complete(a, ev);
	}
	if (n == 0 && !json_bool(line, "committed", false) && !stage_open(line) &&
	    strcmp(status, "lost") != 0) {
		cJSON *brief = json_new();
		bool known = task_status_parse(status) != TASK_UNKNOWN;
		const char *reason = json_str(line, "reason");

		json_set_str(brief, "status", known ? status : "failed");
		if (!known)
			json_set_str(brief, "reason", "a stage set a status that does not exist");
		else if (reason != NULL)
			json_set_str(brief, "reason", reason);
		out[n++] = complete(a, brief);
		cJSON_Delete(brief);
	}
	for (size_t i = 0; i < n; i++)
		if (ends_attempt(task_status_parse(json_str(out[i], "status"))))
			json_set_bool(out[i], "final", true);
	return n;
}

static enum slot_kind
kind_of(const cJSON *event)
{
	return strcmp(json_str(event, "status"), "requeue") == 0 ? SLOT_FREE : SLOT_DONE;
}

/* Refused, but by whom? Whoever met our finished slot first may have written our event
 * and cleared the chain: then it is done, not lost. So is the same end told twice. */
static int
refused(struct log *l, const struct attempt *a, const cJSON *last, struct err *e)
{
	struct err why = *e;
	int rc = log_has_final(l, a->id, a->generation, json_str(last, "status"), e);

	if (rc == 0)
		*e = why;
	return rc == 1 ? 0 : rc < 0 ? rc : -VIV_REFUSED;
}

static int
record_end(struct log *l, const struct attempt *a, cJSON *last, struct err *e)
{
	struct slot_owner owner = {.resident = a->resident, .identity = a->identity};
	struct log_mark mark;
	int rc = log_mark(l, &mark, e);

	if (rc == 0)
		rc = slot_put(l->w, a->id, a->generation + 1, a->generation, kind_of(last),
		    a->token, &owner, last, e);
	if (rc == 0)
		rc = log_append_once(l, &last, 1, a->id, a->generation, mark, e);
	if (rc >= 0)
		log_ended(l, a->id, a->generation + 1);
	return rc > 0 ? 0 : rc;
}

static int
record(struct log *l, const struct attempt *a, cJSON *const *ev, size_t n, struct err *e)
{
	cJSON *last = ev[n - 1];
	bool ends = json_bool(last, "final", false);
	int rc = slot_mine(l->w, a->id, a->generation, a->token, e);

	/* What led to the end goes first: the slot carries the end alone. */
	if (rc == 0)
		rc = log_append(l, ev, ends ? n - 1 : n, e);
	if (rc == 0 && ends)
		rc = record_end(l, a, last, e);
	return rc == -VIV_REFUSED && ends ? refused(l, a, last, e) : rc;
}

int
commit_line(struct log *l, cJSON *line, struct err *e)
{
	cJSON *ev[EVENTS_MAX];
	struct attempt a;
	size_t n;
	int rc;

	if (json_bool(line, "committed", false) || strcmp(stage_status(line), "lost") == 0)
		return 0;
	if (!attempt_of(line, &a))
		return err_set(
		    e, VIV_REFUSED, "'%.100s' has no claim", a.id != NULL ? a.id : "(no id)");
	n = collect(line, &a, ev);
	rc = n > 0 ? record(l, &a, ev, n, e) : 0;
	if (rc == 0 && n > 0) {
		json_set_str(line, "status", json_str(ev[n - 1], "status"));
		json_del(line, "events");
		json_set_bool(line, "committed", true);
	} else if (rc == -VIV_REFUSED) {
		json_set_str(line, "status", "lost");
		json_del(line, "events");
	}
	for (size_t i = 0; i < n; i++)
		cJSON_Delete(ev[i]);
	return rc;
}

/* Take slot a->generation on top of prev for ev, and record it. The caller decided by what
 * he had read of the log, so whatever was added since then counts: another's whole
 * decision, with its slot gone again, leaves no other trace. */
static int
decide(struct log *l, const struct attempt *a, int64_t prev, cJSON *ev, struct err *e)
{
	struct slot_owner owner = {.resident = a->resident};
	const char *status = json_str(ev, "status");
	struct log_mark mark = log_read_mark(l);
	char token[33];
	int rc;

	rand_hex(token, 16);
	rc = slot_put(l->w, a->id, a->generation, prev, kind_of(ev), token, &owner, ev, e);
	if (rc == 0)
		rc = log_append_once(l, &ev, 1, a->id, a->generation, mark, e);
	if (rc < 0)
		return rc;
	/* What was looked at may be old: who came first then has this generation. */
	if (rc > 0 && (rc = log_has_final(l, a->id, a->generation, status, e)) == 0) {
		slot_remove(l->w, a->id, a->generation);
		return err_set(e, VIV_REFUSED, "somebody else decided about '%s' first", a->id);
	}
	if (rc < 0)
		return rc;
	log_ended(l, a->id, a->generation);
	return log_sync(l, e);
}

int
commit_decide(struct log *l, const char *id, const char *who, int64_t base, const cJSON *event,
    int64_t *generation_out, struct err *e)
{
	struct attempt a = {.id = id, .resident = who};
	int guard = -1, rc;
	struct slot s;
	cJSON *ev;

	rc = slot_last(l->w, id, base, &s, e);
	if (rc != 0)
		return rc;
	if (s.kind == SLOT_CLAIM && slot_judge_lock(l->w, id, &s, &guard) == SLOT_HELD)
		return err_set(e, VIV_REFUSED, "'%s' is being worked on by '%s'", id, s.resident);
	if (s.kind != SLOT_CLAIM && s.kind != SLOT_NONE && s.number > base)
		return err_set(
		    e, VIV_TEMPFAIL, "'%s' is just being ended by '%s': try again", id, s.resident);
	a.generation = (s.kind == SLOT_CLAIM ? s.number : base) + 1;
	ev = complete(&a, event);
	json_set_bool(ev, "final", true);
	rc = decide(l, &a, s.kind == SLOT_CLAIM ? s.number : 0, ev, e);
	if (guard >= 0)
		close(guard);
	cJSON_Delete(ev);
	if (generation_out != NULL)
		*generation_out = a.generation;
	return rc;
}

int
commit_repair(struct log *l, const char *id, int64_t number, struct log_mark since, struct err *e)
{
	cJSON *ev = slot_event(l->w, id, number);
	int rc = 0;

	if (ev != NULL) {
		int64_t generation = json_int(ev, "generation", 0);

		rc = log_append_once(l, &ev, 1, id, generation, since, e);
	} else {
		struct slot s;

		/* Gone meanwhile is well; damaged is not. */
		if (slot_read(l->w, id, number, &s, NULL) == 0)
			rc = err_set(e, VIV_CONFIG, "slot %lld of '%s' carries no event",
			    (long long)number, id);
	}
	cJSON_Delete(ev);
	if (rc >= 0) {
		int missing = rc == 0;

		l->dirty = true;	/* also make durable what another process appended */
		log_ended(l, id, number);
		rc = l->fd >= 0 ? log_sync(l, e) : 0;
		return rc != 0 ? rc : missing;
	}
	return rc;
}

int
commit_clear(struct log *l, const char *id, int64_t generation, int64_t number, struct err *e)
{
	int rc = log_has_final(l, id, generation, NULL, e);

	if (rc <= 0)
		return rc;
	l->dirty = true;	/* whoever appended it may have died before its sync */
	log_ended(l, id, number);
	return log_sync(l, e);
}
