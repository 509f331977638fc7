/*
 * claim: may this task be taken now, and taking it. lib/claim.c opens with the protocol;
 * lib/choose.c decides which task to try.
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
	struct slot_owner owner;	/* timeout_s is set from each task */
	const char *tag, *mode;		/* mode: "local" or "llm" */
};

/* Why a task is not claimed now, in the order in which they are asked. */
enum claim_gate {
	CLAIM_READY,
	CLAIM_DONE,		/* approved, ready_for_merge */
	CLAIM_DEAD,		/* failed; viv-add -k revives it */
	CLAIM_REVIEW,		/* a person or a jury thinks about it */
	CLAIM_OTHER,		/* bound to another identity, or filtered out */
	CLAIM_NOT_YET,		/* not_before, back-off */
	CLAIM_WAITS,		/* for a dependency that may still come */
	CLAIM_BLOCKED		/* by a dependency that is dead, unknown or cyclic */
};

/*
 * Gate of task i as board and log say; want NULL: whoever asks. *on_out (may be NULL)
 * is the dependency it waits for or is blocked by, borrowed from the task.
 */
enum claim_gate claim_gate(const struct board *b, const struct fold *f, size_t i,
    const struct claim_want *want, double now, const char **on_out);

/* What became of an attempt to take a task. */
enum claim_taken {
	CLAIM_TAKEN,
	CLAIM_HELD,		/* by somebody who lives */
	CLAIM_RACED,		/* another was faster just now: ask again in a moment */
	CLAIM_SERIAL,		/* another parallel_safe:false task runs */
	CLAIM_CHANGED		/* its state has changed: ask the gate again, now */
};

/*
 * Try to take task i, which the gate let through. On CLAIM_TAKEN *line_out is the task
 * line (the caller deletes) and *hold_out the claim. Negative: an error. Reads the log
 * to its end (fold follows) after winning.
 */
int claim_take(const struct world *w, const struct board *b, struct log *l, struct fold *f,
    size_t i, const struct claim_want *want, double now, cJSON **line_out,
    struct slot_hold *hold_out, struct err *e);

/* Who holds the task now (SLOT_CLAIM and not dead), for status: true and *out. */
bool claim_holder(const struct world *w, const struct fold *f, const char *id, struct slot *out);

#endif
