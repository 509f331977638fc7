/*
 * stage: the loop that every pipeline stage has in common, and the task line.
 *
 * A task line is the task's own members plus one member a stage. It is *open*
 * while it can still be worked on: no "status", "pending" or "in_progress"
 * ("completed" for the reviewer). A stage that decides something appends an event to "events" and
 * sets "status"; viv-log records the events and marks the line "committed". No
 * stage drops a line. (vivarium-task(5))
 */
#ifndef VIV_STAGE_H
#define VIV_STAGE_H

#include <stdbool.h>
#include <cjson/cJSON.h>

#include "err.h"

/* Change the line in place. Nonzero ends the stage with that error. */
typedef int stage_fn(cJSON *line, void *arg, struct err *e);

/*
 * Read lines on stdin, call fn for each, write each as soon as it is ready; end at
 * end of input or when the reader of stdout has gone. SIGINT and SIGTERM are
 * ignored unless stdin is a terminal (viv-claim ends the pipeline). Returns the
 * exit code: 0, 1 when a damaged line was met, or fn's.
 */
int stage_run(stage_fn *fn, void *arg);

/* The same for a stage whose work becomes good all at once: lines that arrived together
 * are written after flush, or, when that fails, never. */
typedef int stage_flush(void *arg, struct err *e);
int stage_run_bursts(stage_fn *fn, stage_flush *flush, void *arg);

const char *stage_status(const cJSON *line);		/* "" when absent */
bool stage_open(const cJSON *line);			/* "", pending, in_progress */

/* Append an event with that status; line "status" follows, "committed" goes.
 * Returns the event (owned by the line) for more members. */
cJSON *stage_event(cJSON *line, const char *status);

/* The same for an event that ends the attempt ("final":true), with a reason. */
cJSON *stage_final(cJSON *line, const char *status, const char *reason);

/* requeue that does not count as an attempt (interrupted, halted, released). */
cJSON *stage_requeue(cJSON *line, const char *reason);

#endif
