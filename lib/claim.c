/*
 * claim: taking a task. The protocol, whole:
 *
 *   A task's chain of slots (lib/slot.c) is its state of ownership; the highest slot
 *   counts. Claiming, taking over, giving back and finishing are one act: create the
 *   next slot, numbered 1 + the larger of the highest slot and the last generation in
 *   the log. link(2) lets one process win. That number is the claim's generation, the
 *   fencing token: to end attempt n one must create slot n+1, which fails for whoever
 *   was overtaken, and a line of generation n changes nothing once n+1 has begun.
 *
 *   1. no chain, or the log already tells of it: create the number above all that it
 *      tells of (fold_base): no number is used twice, so one who is late to remove a
 *      chain never removes a claim;
 *   2. a claim whose owner is alive: held;
 *   3. a claim whose owner is dead, or silent for lease + margin: create the next, with
 *      the exclusive flock of the old slot held, so that nobody begins to execute the
 *      old claim between the look and the link;
 *   4. a free or done slot: its event may have missed the log in a crash: append it,
 *      remove the chain, look again;
 *   5. after winning, look once more: the predecessor must still be there and nothing
 *      above (slot_put), and the log must not have reached our generation or ended
 *      the task meanwhile; else give the slot back. A process that slept between
 *      looking and linking is stopped here.
 *
 *   A parallel_safe:false task needs a slot of the pseudo-task _serial as well, which
 *   names the claim that it stands for and counts as long as that claim lives.
 */
#include "claim.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"
#include "commit.h"
#include "json.h"
#include "rand.h"
#include "serial.h"


/* --- may it be taken? --- */

static bool
has(char *const *list, const char *s)
{
	for (; list != NULL && *list != NULL; list++)
		if (strcmp(*list, s) == 0)
			return true;
	return false;
}

static bool
wanted(const struct task *t, const struct claim_want *want)
{
	const char *me = want->owner.identity;

	if (t->identity != NULL && (me == NULL || strcmp(t->identity, me) != 0))
		return false;
	if (want->tag != NULL && !has(t->tags, want->tag))
		return false;
	return want->mode == NULL || (strcmp(want->mode, "local") == 0) == t->local;
}

static enum claim_gate
gate_dependencies(const struct board *b, const struct fold *f, size_t i, const char **on_out)
{
	enum claim_gate g = CLAIM_READY;

	for (char **d = b->v[i].deps; d != NULL && *d != NULL; d++) {
		const struct fold_task *t = fold_get(f, *d);
		long at;

		if (fold_done(t))
			continue;
		at = board_find(b, *d);
		if (fold_dead(t) || at < 0 || (size_t)at == i) {
			*on_out = *d;
			return CLAIM_BLOCKED;
		}
		if (g == CLAIM_READY)
			*on_out = *d;
		g = CLAIM_WAITS;
	}
	return g;
}

enum claim_gate
claim_gate(const struct board *b, const struct fold *f, size_t i, const struct claim_want *want,
    double now, const char **on_out)
{
	const struct task *t = &b->v[i];
	const struct fold_task *s = fold_get(f, t->id);
	const char *on = NULL;
	enum claim_gate g;

	if (on_out != NULL)
		*on_out = NULL;
	if (fold_done(s))
		return CLAIM_DONE;
	if (fold_dead(s))
		return CLAIM_DEAD;
	if (!fold_runnable(s))
		return CLAIM_REVIEW;
	if (want != NULL && !wanted(t, want))
		return CLAIM_OTHER;
	g = gate_dependencies(b, f, i, &on);
	if (on_out != NULL)
		*on_out = on;
	if (g != CLAIM_READY)
		return g;
	if (t->not_before > now || (s != NULL && s->not_before > now))
		return CLAIM_NOT_YET;
	return CLAIM_READY;
}

bool
claim_holder(const struct world *w, const struct fold *f, const char *id, struct slot *out)
{
	const struct fold_task *t = fold_get(f, id);

	return slot_last(w, id, fold_base(t), out, NULL) == 0 &&
	    out->kind == SLOT_CLAIM && slot_judge(w, id, out) == SLOT_HELD;
}

/* --- taking --- */

struct win {
	int64_t number;
	char token[33];
	const char *took_over;		/* NULL, "dead", "expired" */
};

/* Step 3, on top of the claim s. */
static int
take_over(const struct world *w, const char *id, const struct slot *s, const struct slot_owner *o,
    struct win *win, struct err *e)
{
	int guard, rc;
	enum slot_verdict v = slot_judge_lock(w, id, s, &guard);

	if (v == SLOT_HELD)
		return CLAIM_HELD;
	win->number = s->number + 1;
	win->took_over = v == SLOT_DEAD ? "dead" : "expired";
	rand_hex(win->token, 16);
	rc = slot_put(w, id, win->number, s->number, SLOT_CLAIM, win->token, o, NULL, e);
	if (guard >= 0)
		close(guard);
	return rc == -VIV_REFUSED ? CLAIM_RACED : rc != 0 ? rc : CLAIM_TAKEN;
}

/* Steps 1, 2 and 4: CLAIM_TAKEN when slot win->number is ours. */
static int
win_slot(const struct world *w, struct log *l, const struct fold *f, const char *id,
    const struct slot_owner *o, struct win *win, struct err *e)
{
	int64_t base = fold_base(fold_get(f, id));
	struct slot s;
	int rc = slot_last(w, id, base, &s, e);

	if (rc != 0)
		return rc;
	win->number = base + 1;
	win->took_over = NULL;
	if (s.kind == SLOT_CLAIM)
		return take_over(w, id, &s, o, win, e);
	if (s.kind != SLOT_NONE && s.number > base) {
		rc = commit_repair(l, id, s.number, log_read_mark(l), e);
		return rc < 0 ? rc : CLAIM_CHANGED;
	}
	rand_hex(win->token, 16);
	rc = slot_put(w, id, win->number, 0, SLOT_CLAIM, win->token, o, NULL, e);
	if (rc != -VIV_REFUSED)
		return rc != 0 ? rc : CLAIM_TAKEN;
	/* Somebody was faster, or the log has lost what slots above remember. */
	rc = slot_scan(w, id, &s, e);
	if (rc == 0 && s.kind == SLOT_CLAIM && s.number > win->number + 1)
		return take_over(w, id, &s, o, win, e);
	return rc != 0 ? rc : CLAIM_RACED;
}

static void
add_claim(cJSON *line, const struct win *win, const struct slot_owner *o, int attempt, double now)
{
	cJSON *c = json_new();
	char text[CLOCK_TEXT];

	clock_utc(now, text);
	json_set_str(c, "resident_id", o->resident);
	if (o->identity != NULL)
		json_set_str(c, "identity_id", o->identity);
	json_set_str(c, "token", win->token);
	json_set_num(c, "generation", (double)win->number);
	json_set_num(c, "attempt", attempt);
	json_set_str(c, "started_at", text);
	json_set(line, "claim", c);
}

static void
add_event(cJSON *line, cJSON *event, const char *status)
{
	if (json_arr(line, "events") == NULL)
		json_set(line, "events", json_list());
	json_set_str(event, "status", status);
	json_push(json_arr(line, "events"), event);
	json_set_str(line, "status", status);
}

static void
add_end(cJSON *line, const char *reason)
{
	cJSON *ev = json_new();

	json_set_str(ev, "reason", reason);
	json_set_bool(ev, "final", true);
	add_event(line, ev, "failed");
	json_set_str(line, "reason", reason);
}

/* What the attempt before this one left for it to learn from. */
static void
add_previous(cJSON *line, const struct fold *f, const struct log *l, const struct fold_task *t)
{
	static const char *const member[] = {"status", "reason", "attempt", "errors",
	    "error_code", "max_tokens", "review_verdict", "review_issues", "review_suggestions"};
	cJSON *ev, *prev;

	if (t == NULL || t->status != TASK_REQUEUE || (ev = fold_event(f, l, t)) == NULL)
		return;
	prev = json_new();
	for (size_t i = 0; i < sizeof(member) / sizeof(member[0]); i++)
		if (json_get(ev, member[i]) != NULL)
			json_set(prev, member[i], cJSON_Duplicate(json_get(ev, member[i]), true));
	json_set(line, "previous", prev);
	cJSON_Delete(ev);
}

/* The task line of a won claim. task becomes the line. */
static void
make_line(cJSON *task, const struct board *b, const struct fold *f, const struct log *l, size_t i,
    const struct win *win, const struct slot_owner *o, double now)
{
	const struct fold_task *t = fold_get(f, b->v[i].id);
	int before = t != NULL ? t->attempts : 0;
	int attempt = before + 1;
	cJSON *ev;

	/* A lease that ran out is not the task's fault. */
	if (win->took_over != NULL && strcmp(win->took_over, "expired") == 0 && before > 0)
		attempt = before;
	/* A hand edit may bring what only stages write. */
	for (const char *const *m = (const char *const[]){"status", "claim", "safety", "context",
		 "result", "events", "committed", "previous", "reason", NULL};
	     *m != NULL; m++)
		json_del(task, *m);
	if (t == NULL || !t->posted) {
		ev = json_new();
		json_set(ev, "task", cJSON_Duplicate(task, true));
		json_set_num(ev, "generation", 0);
		add_event(task, ev, "queued");
	}
	add_previous(task, f, l, t);
	add_claim(task, win, o, attempt, now);
	ev = json_new();
	json_set_str(ev, "started_at", json_str(json_obj(task, "claim"), "started_at"));
	json_set_num(ev, "attempt", attempt);
	if (win->took_over != NULL)
		json_set_str(ev, "took_over", win->took_over);
	add_event(task, ev, "in_progress");
	if (b->v[i].deadline > 0 && now > b->v[i].deadline)
		add_end(task, "deadline passed");
	else if (attempt > b->v[i].max_attempts)
		add_end(task, "no attempt left");
}

/* Step 5, the log's part: is the claim still wanted? 0, or CLAIM_CHANGED. */
static int
confirm(struct log *l, struct fold *f, const char *id, int64_t number, struct err *e)
{
	const struct fold_task *t;
	int rc = fold_read(f, l, false, e);

	if (rc != 0)
		return rc;
	t = fold_get(f, id);
	return fold_base(t) >= number || !fold_runnable(t) ? CLAIM_CHANGED : 0;
}

int
claim_take(const struct world *w, const struct board *b, struct log *l, struct fold *f, size_t i,
    const struct claim_want *want, double now, cJSON **line_out, struct slot_hold *hold_out,
    struct err *e)
{
	struct slot_owner o = want->owner;
	const char *id = b->v[i].id;
	cJSON *task = board_task(b, i);
	struct win win;
	int rc;

	o.timeout_s = task_timeout(task);
	rc = win_slot(w, l, f, id, &o, &win, e);
	if (rc != CLAIM_TAKEN) {
		cJSON_Delete(task);
		return rc;
	}
	rc = confirm(l, f, id, win.number, e);
	if (rc == 0 && b->v[i].serial &&
	    (rc = serial_take(w, f, id, win.number, win.token, &o, e)) == -VIV_REFUSED)
		rc = CLAIM_SERIAL;
	if (rc == 0 &&
	    (rc = slot_hold(hold_out, w, id, win.number, win.token, false, e)) == -VIV_REFUSED)
		rc = CLAIM_RACED;
	if (rc != 0) {
		if (b->v[i].serial)
			serial_done(w, id, win.number);
		slot_remove(w, id, win.number);
		cJSON_Delete(task);
		return rc;
	}
	make_line(task, b, f, l, i, &win, &o, now);
	*line_out = task;
	return CLAIM_TAKEN;
}
