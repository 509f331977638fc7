/*
 * budget: the limits on money and calls, and the only way past them. A caller reserves
 * the worst case before a call and settles it afterwards; lib/ledger.c keeps the book.
 * Every process that calls a provider goes through here.
 */
#ifndef VIV_BUDGET_H
#define VIV_BUDGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "ledger.h"
#include "world.h"

#define BUDGET_FILE "meta/security/budget.json"

enum {
	BUDGET_ID = 33,		/* bytes of a reservation's id, with its NUL */
	BUDGET_LEASE_S = 300	/* after its deadline a reservation counts as spent */
};

/* One limit. Amounts in micro-dollars, of the rate in calls a minute; -1: none. */
enum budget_scope {
	BUDGET_TASK,		/* for a task that names no max_budget */
	BUDGET_RESIDENT_DAY,
	BUDGET_WORLD_DAY,
	BUDGET_WORLD,
	BUDGET_RATE,
	BUDGET_SCOPES
};
struct budget_limits {
	int64_t hard[BUDGET_SCOPES];
	int64_t soft[BUDGET_SCOPES];	/* claiming stops there; -1: at the hard one */
	const char *set_by[BUDGET_SCOPES]; /* BUDGET_FILE, an environment variable, "default" */
};
int budget_limits(const struct world *w, struct budget_limits *out, struct err *e);
const char *budget_scope_name(enum budget_scope s);	/* "world_day" */

/* Strings are borrowed; all but model may be NULL. */
struct budget_ask {
	const char *task_id, *resident_id, *identity_id, *model, *provider;
	int64_t worst;		/* micro-dollars; -1: price unknown */
	int64_t task_max;	/* the task's max_budget; -1: none, the limit "task" holds */
	double deadline_s;	/* by then the caller will have settled; 0: 3600 */
	const char *who;	/* shown as "user" */
	bool later;		/* not durable before budget_sync, which must be first */
};

/* Why there was no reservation. */
struct budget_refusal {
	const char *scope;	/* "task", "resident_day", "world_day", "world", "rate", "pause" */
	const char *file;	/* or variable that set it */
	double retry_after_s;	/* rate, pause, day: until it can be tried again; else -1 */
};

/*
 * 0: reserved, durable, and id_out names it. -VIV_BUDGET: over a limit; -VIV_TEMPFAIL:
 * the rate, or the provider asked for a pause (or the lock is busy: then scope is NULL);
 * the message names the limit and what set it, *no_out the rest (may be NULL).
 * -VIV_CONFIG: limits or ledger are damaged, so nothing may be called. Refusals are
 * recorded too.
 */
int budget_reserve(const struct world *w, const struct budget_ask *ask, char id_out[BUDGET_ID],
    struct budget_refusal *no_out, struct err *e);

/* Before the first byte of a call that was reserved with "later" leaves: makes all of them
 * durable at once. -VIV_IO: none may be made. */
int budget_sync(struct err *e);

struct budget_use {
	int64_t cost;		/* micro-dollars; -1: unpriced */
	long input_tokens, cached_tokens, output_tokens;
	const char *model;	/* that answered */
	const char *request_id;	/* may be NULL */
	const char *error;	/* NULL: an answer; else what went wrong although it cost */
};

/* The call is over and cost so much. May be more than was reserved; counts all the same. */
int budget_settle(
    const struct world *w, const char *id, const struct budget_use *use, struct err *e);

/* Its outcome is unknown: it has cost its worst case. */
int budget_forfeit(const struct world *w, const char *id, const char *why, struct err *e);

/* Nothing was sent, or nothing charged. */
int budget_refund(const struct world *w, const char *id, const char *why, struct err *e);

/* No call of that provider before so many seconds have passed (Retry-After). */
int budget_pause(const struct world *w, const char *provider, double seconds, struct err *e);

/* Should claims of llm tasks by this resident (its identity's name when it has one; NULL:
 * any) stop for now? 1 with the reason, 0, or an error. */
int budget_soft(const struct world *w, const char *resident, char *why, size_t size, struct err *e);

/* The book as it is now, calls of dead processes forfeited (settle: else only read); it
 * stays this module's. And how many calls the bucket has left. */
int budget_book(const struct world *w, bool settle, const struct ledger **out, struct err *e);
double budget_rate_left(const struct world *w, const struct budget_limits *lim);

/* Set a limit in budget.json (soft: the soft one): "none", "default", or an amount. dry:
 * only check. -VIV_USAGE when it is none of them. */
int budget_set(const struct world *w, enum budget_scope s, bool soft, const char *value, bool dry,
    struct err *e);

#endif
