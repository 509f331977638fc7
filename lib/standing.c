/*
 * standing: where every task of the board stands.
 *
 * The log says what has ended, and the claim's own gate (lib/claim.c) says what keeps a
 * task from being claimed, so what is shown cannot differ from what happens. Two things
 * are added. A living holder of the task's slot makes it running, whatever the log says
 * of it. And of the tasks that wait, those are blocked whose dependencies can never all
 * be done: starting from the tasks that can still move, each one reached takes its
 * waiters along once all their dependencies were reached; who is left over waits for
 * something dead, unknown, cyclic or blocked itself. All of it is linear in the board.
 *
 * Log and slots are not read in one moment. An attempt that ends in between would look
 * like one that nobody works on; its line came before its slot went, so the log is read
 * again when it says of a task that it is worked on and no slot does.
 */
#include "standing.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "clock.h"

#define ENDING_NS 10000000000LL	/* longer, and it died: the next claim repairs it */

enum { DOUBTS = 3 };

const char *
standing_word(enum standing_state st)
{
	static const char *const word[] = {"running", "ready", "held back", "waiting", "blocked",
	    "in review", "approved", "failed"};

	return word[st];
}

const char *
standing_key(enum standing_state st)
{
	return st == STANDING_HELD_BACK ? "held_back" :
	    st == STANDING_IN_REVIEW ? "in_review" : standing_word(st);
}

/* --- working out the states --- */

static enum standing_state
state_of(enum claim_gate g)
{
	static const enum standing_state state[] = {
	    [CLAIM_READY] = STANDING_READY,
	    [CLAIM_DONE] = STANDING_APPROVED,
	    [CLAIM_DEAD] = STANDING_FAILED,
	    [CLAIM_REVIEW] = STANDING_IN_REVIEW,
	    [CLAIM_OTHER] = STANDING_READY,
	    [CLAIM_NOT_YET] = STANDING_HELD_BACK,
	    [CLAIM_WAITS] = STANDING_WAITING,
	    [CLAIM_BLOCKED] = STANDING_BLOCKED,
	};

	return state[g];
}

/* Edges from a dependency to who waits for it, as lists in two arrays. */
struct edge {
	size_t task;
	long next;
};

struct waiters {
	long *head;		/* first edge of each task, -1 none */
	size_t *need;		/* dependencies of each that were not reached */
	struct edge *edge;
	size_t n, cap;
};

static void
add_edges(const struct standing *s, struct waiters *g, size_t i)
{
	for (char **d = s->board.v[i].deps; d != NULL && *d != NULL; d++) {
		long at = board_find(&s->board, *d);

		if (at < 0 || fold_done(fold_get(&s->fold, *d)))
			continue;
		if (g->n == g->cap) {
			g->cap = g->cap == 0 ? 256 : 2 * g->cap;
			g->edge = mem_grow(g->edge, g->cap, sizeof(*g->edge));
		}
		g->edge[g->n].task = i;
		g->edge[g->n].next = g->head[at];
		g->head[at] = (long)g->n++;
		g->need[i]++;
	}
}

/* Of the tasks that wait, those that are not reached are blocked. */
static void
find_blocked(struct standing *s)
{
	size_t n = s->board.n, done = 0, end = 0;
	size_t *queue = mem_alloc((n + 1) * sizeof(size_t));
	struct waiters g = {.head = mem_alloc((n + 1) * sizeof(long))};

	g.need = mem_zero(n + 1, sizeof(size_t));
	for (size_t i = 0; i < n; i++)
		g.head[i] = -1;
	for (size_t i = 0; i < n; i++) {
		if (s->state[i] == STANDING_WAITING)
			add_edges(s, &g, i);
		else if (s->state[i] != STANDING_BLOCKED && s->state[i] != STANDING_FAILED)
			queue[end++] = i;
	}
	while (done < end)
		for (long at = g.head[queue[done++]]; at >= 0; at = g.edge[at].next)
			if (--g.need[g.edge[at].task] == 0)
				queue[end++] = g.edge[at].task;
	for (size_t i = 0; i < n; i++)
		if (s->state[i] == STANDING_WAITING && g.need[i] > 0)
			s->state[i] = STANDING_BLOCKED;
	free(queue);
	free(g.head);
	free(g.need);
	free(g.edge);
}

/* Its end has been decided, and the line about it is on the way to the log. */
static bool
just_ending(const struct standing *s, const char *id, const struct slot *last)
{
	const struct fold_task *t = fold_get(&s->fold, id);

	return (last->kind == SLOT_DONE || last->kind == SLOT_FREE) &&
	    (t == NULL || t->generation < last->number - 1 || !t->final) &&
	    strcmp(last->boot_id, s->w->boot_id) == 0 &&
	    clock_boot_ns() - last->mtime_ns < ENDING_NS;
}

static int
look_at_slot(const char *id, int64_t number, void *arg)
{
	struct standing *s = arg;
	long at = id[0] == '_' ? -1 : board_find(&s->board, id);
	struct slot slot;

	(void)number;
	if (at < 0 || s->state[at] == STANDING_RUNNING || s->state[at] >= STANDING_IN_REVIEW ||
	    (!claim_holder(s->w, &s->fold, id, &slot) && !just_ending(s, id, &slot)))
		return 0;
	s->state[at] = STANDING_RUNNING;
	s->run = mem_grow(s->run, s->nrun + 1, sizeof(*s->run));
	s->run[s->nrun++] = (struct standing_run){(size_t)at, slot};
	return 0;
}

static int
by_task(const void *a, const void *b)
{
	const struct standing_run *x = a, *y = b;

	return x->task < y->task ? -1 : x->task > y->task;
}

static int
work_out(struct standing *s, struct err *e)
{
	double now = clock_wall();
	int rc;

	free(s->state);
	s->state = mem_alloc(s->board.n + 1);
	for (size_t i = 0; i < s->board.n; i++) {
		enum claim_gate g = claim_gate(&s->board, &s->fold, i, NULL, now, NULL);

		s->state[i] = (unsigned char)state_of(g);
	}
	find_blocked(s);
	s->nrun = 0;
	rc = slot_each(s->w, look_at_slot, s, e);
	if (s->nrun > 0)
		qsort(s->run, s->nrun, sizeof(*s->run), by_task);
	memset(s->count, 0, sizeof(s->count));
	for (size_t i = 0; i < s->board.n; i++)
		s->count[s->state[i]]++;
	return rc;
}

/* Does the log say of a task that it is worked on, and no slot does? */
static bool
in_doubt(const struct standing *s)
{
	for (size_t i = 0; i < s->board.n; i++) {
		const struct fold_task *t = s->state[i] == STANDING_RUNNING ? NULL :
		    fold_get(&s->fold, s->board.v[i].id);

		if (t != NULL && (t->status == TASK_IN_PROGRESS || t->status == TASK_COMPLETED ||
		    (t->status == TASK_PENDING_REVIEW && !t->final)))
			return true;
	}
	return false;
}

static int
work_out_again(struct standing *s, struct err *e)
{
	int rc = work_out(s, e);

	for (int i = 0; rc == 0 && i < DOUBTS && in_doubt(s); i++) {
		uint64_t read = log_position(&s->log);

		rc = fold_read(&s->fold, &s->log, false, e);
		if (rc != 0 || log_position(&s->log) == read)
			break;
		rc = work_out(s, e);
	}
	return rc;
}

int
standing_open(struct standing *s, const struct world *w, bool cache, struct err *e)
{
	int rc;

	*s = (struct standing){.w = w};
	rc = log_open(&s->log, w, e);
	if (rc == 0)
		rc = board_load(&s->board, w, e);
	if (rc >= 0)
		rc = fold_read(&s->fold, &s->log, cache, e);
	return rc == 0 ? work_out_again(s, e) : rc;
}

int
standing_look(struct standing *s, struct err *e)
{
	int anew = board_load(&s->board, s->w, e), rc;

	if (anew < 0)
		return anew;
	rc = fold_read(&s->fold, &s->log, false, e);
	if (rc == 0)
		rc = work_out_again(s, e);
	return rc != 0 ? rc : anew;
}

void
standing_close(struct standing *s)
{
	free(s->state);
	free(s->run);
	board_free(&s->board);
	fold_free(&s->fold);
	log_close(&s->log);
	s->state = NULL;
	s->run = NULL;
	s->nrun = 0;
}

/* --- asking --- */

bool
standing_of(const struct standing *s, const char *id, enum standing_state *out)
{
	long at = board_find(&s->board, id);
	const struct fold_task *t = fold_get(&s->fold, id);

	if (at >= 0)
		*out = (enum standing_state)s->state[at];
	else if (t != NULL)	/* it has left the board */
		*out = fold_done(t) ? STANDING_APPROVED : fold_dead(t) ? STANDING_FAILED :
		    fold_runnable(t) ? STANDING_BLOCKED : STANDING_IN_REVIEW;
	return at >= 0 || t != NULL;
}

const struct slot *
standing_holder(const struct standing *s, size_t i)
{
	struct standing_run key = {.task = i};
	const struct standing_run *r = s->nrun == 0 ? NULL :
	    bsearch(&key, s->run, s->nrun, sizeof(*s->run), by_task);

	return r != NULL ? &r->slot : NULL;
}

double
standing_since(const struct standing *s, size_t i)
{
	const struct slot *holder = standing_holder(s, i);
	const struct fold_task *t = fold_get(&s->fold, s->board.v[i].id);

	return holder != NULL ? holder->started : t != NULL ? t->when : 0;
}

static int
in_order(const void *a, const void *b, void *arg)
{
	const struct standing *s = arg;
	size_t x = *(const size_t *)a, y = *(const size_t *)b;
	int p = s->board.v[x].priority, q = s->board.v[y].priority;

	if (s->state[x] >= STANDING_APPROVED) {
		double t = standing_since(s, x), u = standing_since(s, y);

		if (t != u)
			return t > u ? -1 : 1;
	} else if (p != q) {
		return p > q ? -1 : 1;
	}
	return x < y ? -1 : x > y;
}

size_t *
standing_list(const struct standing *s, enum standing_state st, size_t *n_out)
{
	size_t *v = mem_alloc((s->count[st] + 1) * sizeof(*v)), n = 0;

	for (size_t i = 0; i < s->board.n; i++)
		if (s->state[i] == st)
			v[n++] = i;
	qsort_r(v, n, sizeof(*v), in_order, (void *)(uintptr_t)s);
	*n_out = n;
	return v;
}
