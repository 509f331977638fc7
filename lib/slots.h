/* slots: every chain of a world at once, and what the log says of each. */
#ifndef VIV_SLOTS_H
#define VIV_SLOTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"
#include "fold.h"
#include "slot.h"

struct slots_one {
	char *id;
	int64_t number;
	bool gone;		/* the caller has removed it, or would have */
};

/* By id, then by number. Zero-initialise; slots_free frees. */
struct slots {
	struct slots_one *v;
	size_t n;
};

enum slots_state {
	SLOTS_LIVE,		/* a claim that has not ended */
	SLOTS_OVER,		/* ended, and the log knows: may be removed */
	SLOTS_UNLOGGED,		/* ended, its event is missing in the log */
	SLOTS_BROKEN,		/* ended, and carries no event */
	SLOTS_NONE		/* gone since it was listed */
};

int slots_read(const struct world *w, struct slots *out, struct err *e);
void slots_free(struct slots *s);
bool slots_has(const struct slots *s, const char *id);	/* one that is not gone */

/* Its file, from the root of the world; the caller frees. */
char *slots_path(const struct slots_one *s);

/* Index behind the chain that begins at i: its slots are i .. end - 1. */
size_t slots_end(const struct slots *s, size_t i);

/*
 * What the chain whose highest slot is number stands for. The fold must have been
 * read after the slots were listed. *highest_out (may be NULL) is that slot.
 */
enum slots_state slots_judge(const struct world *w, const struct fold *f, const char *id,
    int64_t number, struct slot *highest_out);

/* Has the log seen the end of that attempt? */
bool slots_ended(const struct fold *f, const char *id, int64_t generation);

/* Remove the slots i .. end - 1, lowest first; dry: only mark them. */
void slots_remove(const struct world *w, struct slots *s, size_t i, size_t end, bool dry);

#endif
