/*
 * halt: two small files and a flag that people set, read by everything that works.
 *
 * They are read anew each time: the answer must be that of now, and the files are a
 * few bytes in the page cache. Whoever halts a world may be in a hurry and write the
 * file by hand; therefore whatever is there and cannot be understood means halted, and
 * only a missing file means that nobody has asked.
 */
#include "halt.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "conf.h"
#include "json.h"

enum { PACE_MAX_S = 300 };

static void
say(char *reason, size_t size, const char *text)
{
	if (reason != NULL && size > 0)
		snprintf(reason, size, "%s", text);
}

bool
halt_on(const struct world *w, char *reason, size_t size)
{
	struct err e = {0};
	cJSON *v;
	int rc = conf_read(w->fd, WORLD_HALT, &v, &e);
	const cJSON *halt = json_get(v, "halt");
	const char *why = json_str(v, "reason");
	bool on = true;

	if (rc == -VIV_NO)
		return false;
	if (v == NULL) {
		say(reason, size, e.msg);
	} else if (!cJSON_IsBool(halt)) {
		say(reason, size, "'" WORLD_HALT "': 'halt' is neither true nor false");
	} else if (cJSON_IsTrue(halt)) {
		say(reason, size, why != NULL && *why != '\0' ? why : "halted by the kill switch");
	} else {
		on = false;
	}
	cJSON_Delete(v);
	return on;
}

bool
halt_paused(const struct world *w)
{
	struct stat st;

	/* not to be able to look is no permission to go on */
	return fstatat(w->fd, WORLD_PAUSE, &st, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT;
}

double
halt_pace(const struct world *w, struct err *e)
{
	cJSON *v;
	int rc = conf_read(w->fd, WORLD_PACE, &v, e);
	const cJSON *wait = json_get(v, "wait_seconds");
	double pace = 0;

	if (v == NULL)
		return rc == -VIV_NO ? 0 : rc;
	if (wait != NULL && (!cJSON_IsNumber(wait) || wait->valuedouble < 0 ||
	    wait->valuedouble > PACE_MAX_S))
		pace = err_set(e, VIV_CONFIG, "'%s': 'wait_seconds' is no number from 0 to %d",
		    WORLD_PACE, PACE_MAX_S);
	else if (wait != NULL)
		pace = wait->valuedouble;
	cJSON_Delete(v);
	return pace;
}
