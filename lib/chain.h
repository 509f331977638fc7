/* chain: is the log what was written, line for line? */
#ifndef VIV_CHAIN_H
#define VIV_CHAIN_H

#include <stdbool.h>

#include "err.h"
#include "log.h"

struct chain_report {
	bool ok;			/* no bad line; a torn tail is none */
	unsigned long lines;		/* read, unchained ones included */
	unsigned long unchained;	/* of an older world, before the first chained one */
	unsigned long segments;
	char segment[192];		/* of the first bad line, */
	unsigned long line;		/* its number there, from 1, */
	char what[200];			/* and what is wrong with it */
	char torn[192];			/* a segment that ends without a newline, or "" */
};

/* Verify all segments. 0 when they could be read (see out->ok), or an error. Takes no
 * lock: what is appended meanwhile may or may not be looked at. */
int chain_verify(const struct world *w, struct chain_report *out, struct err *e);

/* The segment's last line has no newline: a writer died there. */
bool chain_torn(int dir, const char *segment);

#endif
