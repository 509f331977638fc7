/* decide: what a person, a jury or a model says about work that waits for it. */
#ifndef VIV_DECIDE_H
#define VIV_DECIDE_H

#include <stdbool.h>
#include <cjson/cJSON.h>

#include "critic.h"
#include "err.h"
#include "fold.h"
#include "log.h"
#include "world.h"

struct decide {
	const struct world *w;
	struct log *log;
	struct fold *fold;	/* as read by the caller */
	const char *who;	/* "human:ada", "jury", "model:NAME" */
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

/*
 * End the wait as the verdict says (lib/outcome.c): approved, to be tried again, or
 * failed. Who gave it is not checked here. Errors and *line_out as decide_task.
 */
int decide_verdict(const struct decide *d, const char *id, const struct critic *v, cJSON **line_out,
    struct err *e);

/* Has d->who a part in the task? 0, or -VIV_REFUSED. */
int decide_check_author(const struct decide *d, const char *id, struct err *e);

/*
 * The line of a task from the result that the event (waiting, or a decision) is about:
 * approved and committed. -VIV_CONFIG: the file is not what was logged.
 */
int decide_rebuild(const struct world *w, const char *id, const cJSON *ev, cJSON **line_out,
    struct err *e);

#endif
