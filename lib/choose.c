/*
 * choose: which task to try next.
 *
 * A heap holds the tasks that look ready. A task that turns out not to be is parked
 * where the reason for it will be noticed: with the dependency it waits for (the
 * fold calls changed() when that one's state changes), with the others of a time
 * that has not come, or with those that somebody holds (we or others), which are asked
 * about once a second, since a dead owner writes no line, and at once when their attempt
 * has ended. Tasks that are done, dead or not wanted are dropped; a line in the log
 * brings them back.
 */
#include "choose.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "budget.h"
#include "clock.h"
#include "commit.h"
#include "json.h"

#define HELD_NS 1000000000LL

/* A task that comes back RETAKES times, each within SPIN_S and without having used an
 * attempt, is left alone for REST_S: a pipeline that lacks the stage which would execute
 * it must not spin. */
enum { NONE = -1, SOON_S = 60, RETAKES = 3, SPIN_S = 10, REST_S = 300 };
enum { NOWHERE, READY, HELD, TIMED };

struct choice {
	long waiters;		/* head of the list that waits for this task */
	long next;		/* in the list that this task waits in */
	unsigned char place;	/* where it waits; an entry elsewhere is out of date */
	unsigned char takes;	/* how often we took it in a row */
	int attempt;		/* with so many attempts used */
	double taken, rest;	/* wall time: last taken, left alone until; or 0 */
	bool parked;		/* in a list of waiters */
	bool damaged;		/* and said so */
};

/* --- heap of positions, best first --- */

static bool
before(const struct chooser *c, size_t a, size_t b)
{
	const struct task *x = &c->board.v[a], *y = &c->board.v[b];

	return x->priority != y->priority ? x->priority > y->priority : a < b;
}

static void
push_back(struct queue *q, size_t i)
{
	if (q->n == q->cap) {
		q->cap = q->cap == 0 ? 64 : 2 * q->cap;
		q->v = mem_grow(q->v, q->cap, sizeof(*q->v));
	}
	q->v[q->n++] = i;
}

static void
ready_push(struct chooser *c, size_t i)
{
	struct queue *q = &c->ready;
	size_t at = q->n;

	if (c->choice[i].place == READY)
		return;
	c->choice[i].place = READY;
	push_back(q, i);
	while (at > 0 && before(c, i, q->v[(at - 1) / 2])) {
		q->v[at] = q->v[(at - 1) / 2];
		at = (at - 1) / 2;
	}
	q->v[at] = i;
}

static size_t
ready_pop(struct chooser *c)
{
	struct queue *q = &c->ready;
	size_t top = q->v[0], last = q->v[--q->n], at = 0;

	for (;;) {
		size_t child = 2 * at + 1;

		if (child >= q->n)
			break;
		if (child + 1 < q->n && before(c, q->v[child + 1], q->v[child]))
			child++;
		if (!before(c, q->v[child], last))
			break;
		q->v[at] = q->v[child];
		at = child;
	}
	if (q->n > 0)
		q->v[at] = last;
	c->choice[top].place = NOWHERE;
	return top;
}

/* --- parking --- */

static void
park_queue(struct chooser *c, struct queue *q, size_t i)
{
	c->choice[i].place = q == &c->held ? HELD : TIMED;
	push_back(q, i);
}

static void
park_on(struct chooser *c, size_t i, const char *dep)
{
	long at = board_find(&c->board, dep);

	if (at < 0 || c->choice[i].parked)
		return;		/* unknown: a change of the board asks again */
	c->choice[i].parked = true;
	c->choice[i].next = c->choice[at].waiters;
	c->choice[at].waiters = (long)i;
}

static void
unpark(struct chooser *c, size_t on)
{
	long i = c->choice[on].waiters;

	c->choice[on].waiters = NONE;
	while (i != NONE) {
		struct choice *ch = &c->choice[i];
		long next = ch->next;

		ch->parked = false;
		ready_push(c, (size_t)i);
		i = next;
	}
}

/* The fold says: a task's state has changed. */
static void
changed(struct fold_task *t, void *arg)
{
	struct chooser *c = arg;
	size_t i = (size_t)(uintptr_t)t->user;

	if (c->choice == NULL)
		return;
	if (i == 0) {
		long at = board_find(&c->board, t->id);

		if (at < 0)
			return;
		i = (size_t)at + 1;
		t->user = (void *)(uintptr_t)i;
	}
	if (!fold_runnable(t))
		unpark(c, i - 1);
	else if (t->final || c->choice[i - 1].place != HELD)
		ready_push(c, i - 1);	/* else its holder has only told how far it is */
}

static void
requeue_all(struct chooser *c, struct queue *q)
{
	unsigned char place = q == &c->held ? HELD : TIMED;
	size_t n = q->n;

	q->n = 0;
	for (size_t i = 0; i < n; i++)
		if (c->choice[q->v[i]].place == place)
			ready_push(c, q->v[i]);
}

static void
rebuild(struct chooser *c)
{
	c->ready.n = c->held.n = c->timed.n = 0;
	c->next_due = 0;
	free(c->choice);
	c->choice = mem_alloc((c->board.n + 1) * sizeof(*c->choice));
	for (size_t i = 0; i < c->board.n; i++)
		c->choice[i] = (struct choice){.waiters = NONE, .next = NONE};
	for (size_t i = 0; i < c->fold.cap; i++)
		if (c->fold.table[i] != NULL)
			c->fold.table[i]->user = NULL;
	for (size_t i = 0; i < c->board.n; i++) {
		struct fold_task *t = fold_get(&c->fold, c->board.v[i].id);

		if (t != NULL)
			t->user = (void *)(uintptr_t)(i + 1);
		if (fold_runnable(t))
			ready_push(c, i);
	}
}

/* --- the chooser --- */

struct leftover {
	struct chooser *c;
	char id[TASK_ID_BYTES + 1];
	int64_t generation, number;
};

static int
find_leftover(const char *id, int64_t number, void *arg)
{
	struct leftover *o = arg;
	const struct fold_task *t = fold_get(&o->c->fold, id);

	if (t == NULL || !t->final || number > fold_base(t) || strlen(id) > TASK_ID_BYTES)
		return 0;
	snprintf(o->id, sizeof(o->id), "%s", id);
	o->generation = t->generation;
	o->number = fold_base(t);
	return 1;
}

/* Chains of attempts that ended in a crash, after the end was logged: nobody else comes
 * by, when the task is done. One a look is enough. */
static void
clear_leftover(struct chooser *c)
{
	struct leftover o = {.c = c};
	struct err e;

	if (!c->w->shared && slot_each(c->w, find_leftover, &o, &e) == 1 &&
	    commit_clear(&c->log, o.id, o.generation, o.number, &e) != 0)
		err_warn("%s", e.msg);
}

int
choose_open(struct chooser *c, const struct world *w, const struct claim_want *want, bool cache,
    struct err *e)
{
	int rc;

	*c = (struct chooser){.w = w, .want = *want};
	rc = log_open(&c->log, w, e);
	if (rc == 0)
		rc = board_load(&c->board, w, e);
	if (rc >= 0)
		rc = fold_read(&c->fold, &c->log, cache, e);
	if (rc == 0) {
		rebuild(c);
		if (!cache)
			clear_leftover(c);
		c->fold.changed = changed;
		c->fold.arg = c;
	}
	return rc;
}

void
choose_close(struct chooser *c)
{
	free(c->choice);
	free(c->ready.v);
	free(c->held.v);
	free(c->timed.v);
	board_free(&c->board);
	fold_free(&c->fold);
	log_close(&c->log);
}

int
choose_look(struct chooser *c, struct err *e)
{
	int64_t now = clock_boot_ns();
	int rc = board_load(&c->board, c->w, e);

	if (rc < 0)
		return rc;
	if (rc > 0) {
		free(c->choice);
		c->choice = NULL;	/* positions have changed: changed() must wait */
	}
	rc = fold_read(&c->fold, &c->log, false, e);
	if (rc != 0)
		return rc;
	if (c->choice == NULL)
		rebuild(c);
	if (now >= c->held_ns) {
		requeue_all(c, &c->held);
		clear_leftover(c);
		c->raced = false;
		c->held_ns = now + HELD_NS;
	}
	if (c->next_due > 0 && clock_wall() >= c->next_due) {
		c->next_due = 0;
		requeue_all(c, &c->timed);
	}
	return 0;
}

/* Has it come back undone too often? */
static bool
rests(struct chooser *c, size_t i, double now)
{
	const struct fold_task *t = fold_get(&c->fold, c->board.v[i].id);
	struct choice *ch = &c->choice[i];

	if (t == NULL || ch->attempt != t->attempts || fabs(now - ch->taken) > SPIN_S)
		ch->takes = 0;
	ch->attempt = t != NULL ? t->attempts : 0;
	if (ch->takes < RETAKES)
		return ch->rest > now;
	err_warn("'%s' came back undone %d times: left alone for %d s", c->board.v[i].id, RETAKES,
	    REST_S);
	ch->takes = 0;
	ch->rest = now + REST_S;
	return true;
}

/* Is there money for llm tasks? Asked once a second; while there is not, or nobody can
 * tell, they are left alone. */
static bool
affordable(struct chooser *c)
{
	const struct slot_owner *o = &c->want.owner;
	int64_t now = clock_boot_ns();
	char why[512];
	struct err e;
	int rc;

	if (c->money_ns != 0 && now < c->money_ns + HELD_NS)
		return !c->broke;
	c->money_ns = now;
	rc = budget_soft(
	    c->w, o->identity != NULL ? o->identity : o->resident, why, sizeof(why), &e);
	if (rc != 0 && !c->broke)
		err_warn("no llm tasks for now: %s", rc < 0 ? e.msg : why);
	c->broke = rc != 0;
	return !c->broke;
}

static void
park_until(struct chooser *c, size_t i)
{
	const struct fold_task *t = fold_get(&c->fold, c->board.v[i].id);
	double due = c->board.v[i].not_before;

	if (t != NULL && t->not_before > due)
		due = t->not_before;
	if (c->choice[i].rest > due)
		due = c->choice[i].rest;
	if (c->next_due == 0 || due < c->next_due)
		c->next_due = due;
	park_queue(c, &c->timed, i);
}

/* "on_dependency_failure":"fail": the claim is taken only to end the task. */
static void
fail_line(cJSON *line, const char *dep)
{
	cJSON *ev = json_new();
	char *reason = mem_fmt("dependency '%s' failed", dep);

	json_set_str(ev, "status", "failed");
	json_set_str(ev, "reason", reason);
	json_set_bool(ev, "final", true);
	json_push(json_arr(line, "events"), ev);
	json_set_str(line, "status", "failed");
	json_set_str(line, "reason", reason);
	free(reason);
}

/* One damaged slot must not stop a resident: say so once, ask again later. */
static void
pass_over(struct chooser *c, size_t i, const struct err *e)
{
	if (!c->choice[i].damaged)
		err_warn("passing over '%s': %s", c->board.v[i].id, e->msg);
	c->choice[i].damaged = true;
	park_queue(c, &c->held, i);
}

int
choose_next(struct chooser *c, cJSON **line_out, struct slot_hold *hold_out, struct err *e)
{
	while (c->ready.n > 0) {
		size_t i = ready_pop(c);
		const char *on;
		double now = clock_wall();
		enum claim_gate g = claim_gate(&c->board, &c->fold, i, &c->want, now, &on);
		bool fail = g == CLAIM_BLOCKED && c->board.v[i].fail_on_dependency;
		int rc;

		if (g == CLAIM_WAITS || g == CLAIM_BLOCKED)
			if (!fail) {
				park_on(c, i, on);
				continue;
			}
		if (g == CLAIM_NOT_YET || (g == CLAIM_READY && rests(c, i, now))) {
			park_until(c, i);
			continue;
		}
		if (g != CLAIM_READY && !fail)
			continue;
		if (!fail && !c->board.v[i].local && !affordable(c)) {
			park_queue(c, &c->held, i);
			continue;
		}
		rc = claim_take(
		    c->w, &c->board, &c->log, &c->fold, i, &c->want, now, line_out, hold_out, e);
		if (rc == -VIV_CONFIG && e->code == VIV_CONFIG) {
			pass_over(c, i, e);
			continue;
		}
		if (rc < 0) {
			ready_push(c, i);
			return rc;
		}
		if (rc == CLAIM_TAKEN) {
			if (fail && strcmp(json_str(*line_out, "status"), "in_progress") == 0)
				fail_line(*line_out, on);
			park_queue(c, &c->held, i);	/* by ourselves: should we lose it */
			c->choice[i].takes++;
			c->choice[i].taken = now;
			return 0;
		}
		if (rc == CLAIM_CHANGED) {
			if ((rc = fold_read(&c->fold, &c->log, false, e)) != 0)
				return rc;
			if (fold_runnable(fold_get(&c->fold, c->board.v[i].id)))
				ready_push(c, i);
			continue;
		}
		c->raced |= rc == CLAIM_RACED;
		park_queue(c, &c->held, i);
	}
	return err_set(e, VIV_NO, "nothing is runnable now");
}

int
choose_wait_ms(const struct chooser *c)
{
	double due = c->next_due > 0 ? (c->next_due - clock_wall()) * 1000 + 1 : -1;
	double held = c->held.n > 0 ? (double)(c->held_ns - clock_boot_ns()) / 1e6 + 1 : -1;
	double ms = due < 0 || (held >= 0 && held < due) ? held : due;

	if (c->next_due > 0 && due < 0)
		ms = 0;
	return ms < 0 ? (c->held.n > 0 ? 0 : -1) : ms > 3600000 ? 3600000 : (int)ms;
}

bool
choose_pending(const struct chooser *c)
{
	return c->ready.n > 0 || c->raced ||
	    (c->next_due > 0 && c->next_due - clock_wall() < SOON_S);
}
