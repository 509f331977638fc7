/* follow: the board as it changes. */
#ifndef VIV_FOLLOW_H
#define VIV_FOLLOW_H

#include <stdbool.h>

#include "err.h"
#include "standing.h"
#include "table.h"

/* Wait for a change (watch is of watch_open), at most ms and at most a second; input:
 * or for a key. */
enum {
	FOLLOW_GONE = 1,	/* the reader of stdout has gone */
	FOLLOW_INPUT = 2	/* stdin has something, or has ended */
};
int follow_wait(int watch, long ms, bool input);

/*
 * On a terminal: the table, drawn again at each change and each second, until q, a
 * signal or the reader's end. Otherwise a line for each task that is not finished, then
 * one for each change of state that is seen, until the reader has gone. 0 or an
 * error.
 */
int follow_run(struct standing *s, struct table_look *look, int watch, struct err *e);

#endif
