/* query: selecting lines of the log, once or as they come (viv-log -q, -f). */
#ifndef VIV_QUERY_H
#define VIV_QUERY_H

#include <stdbool.h>

#include "err.h"
#include "log.h"

/* NULL or 0: any. Strings are borrowed. */
struct query {
	const char *const *ids;		/* NULL-terminated, or NULL */
	const char *status, *resident, *tag;
	double since, until;		/* wall time */
	long last;			/* only the last so many; -1: all */
	bool follow;
};

/* Print matching lines on stdout, byte for byte; with follow until stdout's reader
 * has gone. 0 when any matched, -VIV_NO when none, or an error. */
int query_run(struct log *l, const struct query *q, struct err *e);

#endif
