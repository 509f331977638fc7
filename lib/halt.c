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

#include "file.h"
#include "json.h"

enum { HALT_FILE_MAX = 65536, PACE_MAX_S = 300 };

/* The file's object (the caller deletes it), or NULL: then *rc_out is 0 when there is
 * no such file, else what is wrong. */
static cJSON *
small_object(const struct world *w, const char *name, int *rc_out, struct err *e)
{
	struct buf b = {0};
	cJSON *v = NULL;
	int rc = file_read(w->fd, name, HALT_FILE_MAX, &b, e);

	if (rc == 0) {
		v = json_parse(b.p != NULL ? b.p : "", b.len, e);
		rc = v != NULL ? 0 : err_prefix(e, "'%s'", name);
		if (v != NULL && !cJSON_IsObject(v)) {
			cJSON_Delete(v);
			v = NULL;
			rc = err_set(e, VIV_CONFIG, "'%s': not a JSON object", name);
		}
	}
	buf_free(&b);
	*rc_out = rc == -VIV_NO ? 0 : rc;
	return v;
}

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
	int rc;
	cJSON *v = small_object(w, WORLD_HALT, &rc, &e);
	const cJSON *halt = json_get(v, "halt");
	const char *why = json_str(v, "reason");
	bool on = true;

	if (v == NULL && rc == 0)
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
	int rc;
	cJSON *v = small_object(w, WORLD_PACE, &rc, e);
	const cJSON *wait = json_get(v, "wait_seconds");
	double pace = 0;

	if (v == NULL)
		return rc;
	if (wait != NULL && (!cJSON_IsNumber(wait) || wait->valuedouble < 0 ||
	    wait->valuedouble > PACE_MAX_S))
		pace = err_set(e, VIV_CONFIG, "'%s': 'wait_seconds' is no number from 0 to %d",
		    WORLD_PACE, PACE_MAX_S);
	else if (wait != NULL)
		pace = wait->valuedouble;
	cJSON_Delete(v);
	return pace;
}
