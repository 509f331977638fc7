/* review: the stage that judges what viv-cycle has completed. */
#ifndef VIV_REVIEW_H
#define VIV_REVIEW_H

#include <cjson/cJSON.h>

#include "err.h"
#include "world.h"

/* Judge a line (for stage_run); arg is the world (const struct world *), NULL: none. */
int review_line(cJSON *line, void *arg, struct err *e);

#endif
