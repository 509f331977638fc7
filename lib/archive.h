/*
 * archive: world/mutable/queue_archive.jsonl, finished tasks that left the board.
 * A task may stand in it twice (a crash, or revived and finished again): the last counts.
 */
#ifndef VIV_ARCHIVE_H
#define VIV_ARCHIVE_H

#include "buf.h"
#include "err.h"
#include "scan.h"
#include "world.h"

/* Add the text of one task to lines, as one line. */
void archive_line(struct buf *lines, struct scan task);

/* Append whole lines, durably. The caller holds the board's lock. */
int archive_append(const struct world *w, const struct buf *lines, struct err *e);

/*
 * Call fn for every task, in the order of the file; nonzero ends it and is returned.
 * Lines that are no task are passed over and counted in *bad_out (may be NULL).
 */
typedef int archive_fn(const char *id, struct scan task, void *arg);
int archive_each(const struct world *w, archive_fn *fn, void *arg, size_t *bad_out, struct err *e);

#endif
