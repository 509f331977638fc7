/* decide: what a person says about work that waits for one. */
#ifndef VIV_DECIDE_H
#define VIV_DECIDE_H

#include <stdbool.h>
#include <cjson/cJSON.h>

#include "err.h"
#include "fold.h"
#include "log.h"
#include "world.h"

struct decide {
	const struct world *w;
	struct log *log;
	struct fold *fold;	/* as read by the caller */
	const char *who;	/* "human:ada" */
	const char *reason;	/* or NULL */
	bool dry;		/* check everything, record nothing */
};

/* Does the task wait for a person? */
bool decide_waits(const struct fold_task *t);

/* All that do, the longest wait first; the caller frees the vector. */
struct fold_task **decide_waiting(const struct fold *f, size_t *n_out);

/*
 * End the wait with status "approved", "failed" or "requeue": 0 when it is recorded.
 * -VIV_NO: unknown or not waiting; -VIV_REFUSED: held, decided by somebody else, or
 * who is an author; -VIV_CONFIG: the stored result is not the one that was logged.
 * For "approved" *line_out is the task line rebuilt from that result (the caller
 * deletes), else NULL.
 */
int decide_task(const struct decide *d, const char *id, const char *status, cJSON **line_out,
    struct err *e);

#endif
