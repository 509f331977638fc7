/* backoff: when what failed may be tried again. */
#ifndef VIV_BACKOFF_H
#define VIV_BACKOFF_H

#include <cjson/cJSON.h>

enum {
	BACKOFF_BASE_S = 2,	/* at most, after the first attempt; doubles */
	BACKOFF_MAX_S = 300
};

/* Seconds to wait after that attempt (counted from 1): exponential, with full jitter. */
double backoff_s(int attempt);

/* The event's "not_before": that many seconds from now, wall time. */
void backoff_set(cJSON *event, double seconds);

#endif
