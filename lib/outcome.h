/* outcome: the event that ends an attempt after a verdict, whoever gave it. */
#ifndef VIV_OUTCOME_H
#define VIV_OUTCOME_H

#include <cjson/cJSON.h>

#include "critic.h"

/*
 * Append to the line the final event that follows from the verdict: approved; requeue
 * with a back-off and the issues while attempts are left; else failed. by is what the
 * reason names ("review", "jury"). Returns the event (owned by the line).
 */
cJSON *outcome_end(cJSON *line, const struct critic *v, int attempt, const char *by);

/* What an event says of the verdict, and what it repeats of the line's result. */
void outcome_verdict(cJSON *ev, const struct critic *v);
void outcome_result(cJSON *ev, const cJSON *line);

/* The line's "review"; by (may be NULL) is who gave the verdict. */
void outcome_note(cJSON *line, const struct critic *v, int attempt, const char *by);

#endif
