/* detail: all that is known of one task, and what it produced. */
#ifndef VIV_DETAIL_H
#define VIV_DETAIL_H

#include <stdbool.h>

#include "buf.h"
#include "err.h"
#include "standing.h"

/* Append the task for people: 0, or -VIV_NO when neither board nor log knows it. */
int detail_print(const struct standing *s, const char *id, struct buf *out, struct err *e);

/* The same as an object (the caller deletes): members of table_task when it is on the
 * board, "reason", "result_file", "task" and "history", its events. */
int detail_json(const struct standing *s, const char *id, cJSON **out, struct err *e);

/* What the newest attempt that has a result wrote: *out and *err_out; for a model's
 * answer its text in *out. -VIV_NO when there is none yet, -VIV_CONFIG when damaged. */
int detail_result(const struct standing *s, const char *id, struct buf *out, struct buf *err_out,
    struct err *e);

#endif
