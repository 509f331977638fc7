/* keep: the claims that a viv-claim has printed and keeps alive until they have ended. */
#ifndef VIV_KEEP_H
#define VIV_KEEP_H

#include <stddef.h>
#include <stdint.h>
#include <cjson/cJSON.h>

#include "fold.h"
#include "log.h"
#include "slot.h"
#include "world.h"

struct keep {
	struct kept *v;			/* private */
	size_t n;			/* claims not yet ended */
};

/* Keep the claim of a line just printed; *hold is taken over. */
void keep_add(struct keep *k, const struct slot_hold *hold, const cJSON *line);

/* Forget what has ended by the log, renew what is due. A claim that is lost, or whose
 * line has not come back within its timeout and two leases, is reported and dropped. */
void keep_tend(struct keep *k, const struct world *w, const struct fold *f);

/* CLOCK_BOOTTIME of the next renewal, 0 when nothing is kept. */
int64_t keep_due_ns(const struct keep *k);

/* End, as attempts that do not count, all that nobody executes right now. */
void keep_give_back(struct keep *k, const struct world *w, struct log *l, const char *reason);

/* Let go without ending anything: whoever executes it renews it, or its lease runs out. */
void keep_leave(struct keep *k);
void keep_free(struct keep *k);

#endif
