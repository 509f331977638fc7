/* follow: the board as it changes. */
#ifndef VIV_FOLLOW_H
#define VIV_FOLLOW_H

#include <stdbool.h>

#include "err.h"
#include "standing.h"
#include "table.h"

/*
 * On a terminal: the table, drawn again at each change and each second, until q, a
 * signal or the reader's end. Otherwise a line for each task that is not finished, then
 * one for each change of state that is seen, until the reader has gone. 0 or an
 * error.
 */
int follow_run(struct standing *s, struct table_look *look, int watch, struct err *e);

#endif
