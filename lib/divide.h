/* divide: a claimed task becomes several, and is done when they are. */
#ifndef VIV_DIVIDE_H
#define VIV_DIVIDE_H

#include <stdbool.h>
#include <cjson/cJSON.h>

#include "err.h"
#include "post.h"

/*
 * Put the steps of the claimed task on the board, unless it is one piece there, and give
 * the line the event that ends its attempt. 0, the line open or not; -VIV_NO: it cannot be
 * divided (message set) and goes on whole; another error: cannot go on.
 */
int divide_task(struct post *p, cJSON *line, struct err *e);

/*
 * The line of a task that was divided: with all steps done it gets their results as its own
 * and is "completed"; else it waits. 0, -VIV_NO: it was not divided by us; or an error.
 */
int divide_gather(struct post *p, cJSON *line, struct err *e);

#endif
