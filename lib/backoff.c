/*
 * backoff: when what failed may be tried again.
 *
 * Full jitter: uniform between nothing and a cap that doubles with each attempt, so that
 * many tasks that failed together (a server that was down) do not come back together.
 */
#include "backoff.h"

#include "clock.h"
#include "json.h"
#include "rand.h"

double
backoff_s(int attempt)
{
	double cap = BACKOFF_BASE_S;

	for (int i = 1; i < attempt && cap < BACKOFF_MAX_S; i++)
		cap *= 2;
	if (cap > BACKOFF_MAX_S)
		cap = BACKOFF_MAX_S;
	return (double)rand_below((uint64_t)(cap * 1000)) / 1000;
}

void
backoff_set(cJSON *event, double seconds)
{
	char when[CLOCK_TEXT];

	clock_utc(clock_wall() + seconds, when);
	json_set_str(event, "not_before", when);
}
