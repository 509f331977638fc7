/*
 * claim: choosing what to run next, and taking it. lib/claim.c opens with the protocol.
 */
#ifndef VIV_CLAIM_H
#define VIV_CLAIM_H

#include <stdbool.h>
#include <stddef.h>
#include <cjson/cJSON.h>

#include "board.h"
#include "err.h"
#include "fold.h"
#include "log.h"
#include "slot.h"
#include "world.h"

/* Who claims, and which tasks it wants. Strings are borrowed; NULL: any. */
struct claim_want {
	struct slot_owner owner;
	const char *tag, *mode;		/* mode: "local" or "llm" */
	const char *only;		/* one id */
};

/* Why a task is not claimed now, in the order in which they are asked. */
enum claim_gate {
	CLAIM_READY, CLAIM_DONE, CLAIM_DEAD, CLAIM_REVIEW, CLAIM_OTHER_IDENTITY, CLAIM_FILTERED,
	CLAIM_NOT_YET, CLAIM_WAITS, CLAIM_BLOCKED, CLAIM_HELD, CLAIM_SERIAL
};

struct claimer {
	const struct world *w;
	struct claim_want want;
	struct board board;
	struct log log;
	struct fold fold;
	struct choice *choice;		/* one a task of the board, private */
	size_t *heap, nheap;		/* positions that look ready, best first */
	size_t *later, nlater;		/* held, not yet: asked again at each look */
	size_t nwaiting;		/* waits for a dependency that may still come */
};

int claim_open(struct claimer *c, const struct world *w, const struct claim_want *want, bool cache,
    struct err *e);
void claim_close(struct claimer *c);

/* Read what is new on the board and in the log; retry what was held. */
int claim_look(struct claimer *c, struct err *e);

/*
 * Take the next task: 0 with *line_out (the task line: the caller deletes) and
 * *hold_out (slot_hold_free), -VIV_NO when nothing is runnable now, or an error.
 * *soon_out (may be NULL): seconds until something becomes due, or -1.
 */
int claim_next(struct claimer *c, cJSON **line_out, struct slot_hold *hold_out, double *soon_out,
    struct err *e);

/* Is anything left that could become runnable without a person (held by others,
 * not before, waiting for those)? */
bool claim_pending(const struct claimer *c);

/* Gate of one task as the log and the board say, without claiming; *why (may be
 * NULL) gets one line for people that names the file behind it (caller frees). */
enum claim_gate claim_gate(const struct world *w, const struct board *b, const struct fold *f, size_t i,
    char **why);

#endif
