/* trim: finished tasks leave the board for the archive. */
#ifndef VIV_TRIM_H
#define VIV_TRIM_H

#include <stdbool.h>
#include <stddef.h>

#include "board.h"
#include "fold.h"
#include "log.h"
#include "slots.h"

enum { TRIM_IDS = 1000 };	/* of finished tasks that the board remembers */

struct trim_want {
	double older_s;		/* finished at least that long ago */
	size_t keep;		/* of the tasks finished last, so many stay */
	bool dry;
};

/*
 * Archive what is finished and has no slot left; say is called for each. Returns how
 * many, or a negative error. Takes the board's lock; reads the log on.
 */
int trim_board(const struct world *w, struct log *l, struct fold *f, const struct slots *s,
    const struct trim_want *want, void (*say)(const char *id, bool done, void *arg), void *arg,
    struct err *e);

/*
 * Pure: the board's text without the tasks whose leave[i] is 1 (done) or 2 (dead), with
 * their ids in "completed" and "failed", of which the last TRIM_IDS stay, and counted in
 * "completed_count" and "failed_count". Every other byte stays as it is.
 */
void trim_text(const struct board *b, const unsigned char *leave, struct buf *out);

#endif
