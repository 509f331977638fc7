/*
 * commit: recording what was decided about a task: fence by the slot, then the line.
 * lib/commit.c opens with the order of the steps and why it is that one.
 */
#ifndef VIV_COMMIT_H
#define VIV_COMMIT_H

#include <stdint.h>
#include <cjson/cJSON.h>

#include "err.h"
#include "log.h"

/*
 * Commit a task line's events: fenced by its claim's slot, appended, the line marked
 * "committed" and its "events" removed; a lost claim sets "status" to "lost".
 * 0: committed, or nothing to commit; -VIV_REFUSED: no claim, or lost (the line says
 * so); -VIV_IO, -VIV_TEMPFAIL: nothing was recorded. Durable after log_sync.
 */
int commit_line(struct log *l, cJSON *line, struct err *e);

/*
 * A decision from outside an attempt (kick, withdraw, approve): takes the next slot
 * after base, the last generation in the log, records event (status and more; borrowed)
 * as its own generation, syncs, removes the chain. -VIV_REFUSED when the task is held
 * or somebody else decided first. *generation_out may be NULL.
 */
int commit_decide(struct log *l, const char *id, const char *who, int64_t base, const cJSON *event,
    int64_t *generation_out, struct err *e);

/*
 * A free or done slot that is still there: append its event if a crash kept it out of
 * the log, sync, remove the chain. 1 when the event was missing, 0 when not.
 */
int commit_repair(
    struct log *l, const char *id, int64_t number, struct log_mark since, struct err *e);

/*
 * What a crash between the end of an attempt and the removal of its chain left: when
 * the log has that end, make it durable and remove the chain up to number.
 */
int commit_clear(struct log *l, const char *id, int64_t generation, int64_t number, struct err *e);

#endif
