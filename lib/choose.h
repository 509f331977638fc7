/*
 * choose: which task to try next: highest priority, then oldest. Costs the same with a
 * hundred tasks posted and with a million: each is looked at again only when what it
 * waits for has happened.
 */
#ifndef VIV_CHOOSE_H
#define VIV_CHOOSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cjson/cJSON.h>

#include "claim.h"

struct queue {
	size_t *v, n, cap;
};

struct chooser {
	const struct world *w;
	struct claim_want want;
	struct board board;
	struct log log;
	struct fold fold;
	struct choice *choice;		/* one a task of the board */
	struct queue ready;		/* heap: positions that look ready, best first */
	struct queue held;		/* held by somebody: asked again every second */
	struct queue timed;		/* not before some time */
	bool raced;			/* one of held was only lost to a faster process */
	bool broke;			/* no money for llm tasks, as of money_ns */
	int64_t money_ns;
	double next_due;		/* earliest of timed, wall time; 0 none */
	int64_t held_ns;		/* CLOCK_BOOTTIME when held is asked again */
};

/* cache: start from the cached fold (one-shot). The chooser must not be moved. */
int choose_open(struct chooser *c, const struct world *w, const struct claim_want *want, bool cache,
    struct err *e);
void choose_close(struct chooser *c);

/* Read what is new on the board and in the log. */
int choose_look(struct chooser *c, struct err *e);

/* Take the next task: 0 with *line_out and *hold_out as claim_take; -VIV_NO when
 * nothing is runnable now; or an error. */
int choose_next(struct chooser *c, cJSON **line_out, struct slot_hold *hold_out, struct err *e);

/* Milliseconds until something may become runnable without a change of the files; -1
 * when nothing can. */
int choose_wait_ms(const struct chooser *c);

/* Is there more to do without a change of the files: something ready, lost in a race, or
 * due within SOON_S? What others hold does not count. */
bool choose_pending(const struct chooser *c);

#endif
