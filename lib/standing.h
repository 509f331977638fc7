/*
 * standing: where every task of the board stands, as people ask it: folded from board,
 * log and slots. lib/standing.c says how the states follow.
 */
#ifndef VIV_STANDING_H
#define VIV_STANDING_H

#include <stdbool.h>
#include <stddef.h>

#include "board.h"
#include "claim.h"
#include "fold.h"
#include "log.h"
#include "slot.h"
#include "world.h"

enum standing_state {
	STANDING_RUNNING,	/* somebody who lives holds it */
	STANDING_READY,
	STANDING_HELD_BACK,	/* not_before, back-off */
	STANDING_WAITING,	/* for a dependency that may still come */
	STANDING_BLOCKED,	/* by one that is dead, unknown, cyclic or blocked itself */
	STANDING_IN_REVIEW,	/* a person thinks about it */
	STANDING_APPROVED,
	STANDING_FAILED,
	STANDING_STATES
};

struct standing_run {
	size_t task;		/* position on the board */
	struct slot slot;
};

/* Zero-initialise; standing_close frees. Do not move it. */
struct standing {
	const struct world *w;
	struct board board;
	struct log log;
	struct fold fold;
	unsigned char *state;	/* enum standing_state, one a task of the board */
	struct standing_run *run; /* by position */
	size_t nrun;
	size_t count[STANDING_STATES];
};

/* Read everything. cache: the fold's cache may be written. 0 or an error. */
int standing_open(struct standing *s, const struct world *w, bool cache, struct err *e);
void standing_close(struct standing *s);

/* Read what is new and work out the states again: 0, 1 when the board was read anew
 * (positions have changed), or an error, with everything as it was. */
int standing_look(struct standing *s, struct err *e);

/* "held back"; the key of JSON has '_' for the blank. */
const char *standing_word(enum standing_state st);
const char *standing_key(enum standing_state st);

/* State of any task that board or log knows; false: neither does. */
bool standing_of(const struct standing *s, const char *id, enum standing_state *out);

/* Who runs task i, or NULL. */
const struct slot *standing_holder(const struct standing *s, size_t i);

/* Since when it is in its state, wall time; 0 unknown. */
double standing_since(const struct standing *s, size_t i);

/* Why it does not run, or how it ended, for people; NULL when there is nothing to say.
 * The caller frees. */
char *standing_reason(const struct standing *s, size_t i);

/* Positions of the tasks in that state in the order in which they would run (finished
 * ones: latest first), *n_out of them; the caller frees. */
size_t *standing_list(const struct standing *s, enum standing_state st, size_t *n_out);

#endif
