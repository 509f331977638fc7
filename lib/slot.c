/*
 * slot: the chain of write-once files that says who may end an attempt.
 *
 * Slot n of task T is world/mutable/task_locks/T.lock.n (T.lock for n = 1). It is
 * written whole to a temporary file and published by link(2), which exactly one
 * process wins; afterwards nobody changes it. Its only moving part is its mtime,
 * which the owner sets to its own CLOCK_BOOTTIME at each renewal: the owner's host
 * can tell from it exactly until when the claim holds, and everybody else only asks
 * whether it changed. How the chain is used is told at the top of lib/claim.c.
 */
#include "slot.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "file.h"
#include "json.h"
#include "jsonl.h"
#include "num.h"
#include "scan.h"
#include "task.h"

const char *const slot_kind_name[] = {"none", "claim", "free", "done"};

int
slot_dir(const struct world *w, struct err *e)
{
	static int fd = -1;

	if (fd < 0)
		fd = openat(w->fd, WORLD_LOCKS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_sys(e, VIV_CONFIG, "cannot open '%s'", WORLD_LOCKS);
	return fd;
}

/* --- names --- */

char *
slot_name(char out[256], const char *id, int64_t number)
{
	if (number == 1)
		snprintf(out, 256, "%.200s.lock", id);
	else
		snprintf(out, 256, "%.200s.lock.%" PRId64, id, number);
	return out;
}

/* Number of the slot that name is of, its id cut out into id; 0: not a slot. */
static int64_t
slot_parse_name(const char *name, char id[256])
{
	size_t n = strlen(name), end = n;
	long long number = 1;

	if (name[0] == '.' || n < 6 || n > 255)
		return 0;
	while (end > 0 && name[end - 1] >= '0' && name[end - 1] <= '9')
		end--;
	if (end < n) {
		if (end == 0 || name[end - 1] != '.' || name[end] == '0' ||
		    !num_int(name + end, 2, INT64_MAX, &number))
			return 0;
		end--;
	}
	if (end < 6 || memcmp(name + end - 5, ".lock", 5) != 0)
		return 0;
	memcpy(id, name, end - 5);
	id[end - 5] = '\0';
	return number;
}

bool
slot_exists(int dir, const char *id, int64_t number)
{
	char name[256];
	struct stat st;

	return fstatat(dir, slot_name(name, id, number), &st, AT_SYMLINK_NOFOLLOW) == 0 ||
	    (errno != ENOENT && errno != ENOTDIR);
}

int
slot_each(const struct world *w, int (*fn)(const char *, int64_t, void *), void *arg, struct err *e)
{
	int dir = slot_dir(w, e), fd, rc = 0;
	struct dirent *de;
	char id[256];
	DIR *d;

	if (dir < 0)
		return dir;
	fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	d = fd >= 0 ? fdopendir(fd) : NULL;
	if (d == NULL) {
		if (fd >= 0)
			close(fd);
		return err_sys(e, VIV_IO, "cannot list '%s'", WORLD_LOCKS);
	}
	while (rc == 0 && (de = readdir(d)) != NULL) {
		int64_t number = slot_parse_name(de->d_name, id);

		if (number > 0)
			rc = fn(id, number, arg);
	}
	closedir(d);
	return rc;
}

/* --- reading --- */

/* Somebody may have written anything; what comes of it stays a time to wait. */
static double
seconds(struct scan rec, const char *name, double min, double dflt, double max)
{
	double v = scan_number(scan_get(rec, name), dflt);

	return v < min ? min : v > max ? max : v;
}

static void
slot_fill(struct slot *s, struct scan rec)
{
	char text[CLOCK_TEXT];
	double started;

	for (enum slot_kind k = SLOT_CLAIM; k <= SLOT_DONE; k++)
		if (scan_eq(scan_get(rec, "kind"), slot_kind_name[k]))
			s->kind = k;
	scan_copy(scan_get(rec, "token"), s->token, sizeof(s->token));
	scan_copy(scan_get(rec, "resident_id"), s->resident, sizeof(s->resident));
	scan_copy(scan_get(rec, "identity_id"), s->identity, sizeof(s->identity));
	scan_copy(scan_get(rec, "host"), s->host, sizeof(s->host));
	scan_copy(scan_get(rec, "boot_id"), s->boot_id, sizeof(s->boot_id));
	s->pid = scan_int(scan_get(rec, "pid"), 0);
	s->pid_start = scan_int(scan_get(rec, "pid_start"), 0);
	s->pid_ns = scan_int(scan_get(rec, "pid_ns"), 0);
	s->lease_s = seconds(rec, "lease_s", 1, SLOT_LEASE_S, SLOT_LEASE_MAX_S);
	s->timeout_s = seconds(rec, "timeout_s", 0, 0, TASK_TIMEOUT_MAX_S);
	if (scan_copy(scan_get(rec, "started_at"), text, sizeof(text)) > 0)
		s->started = clock_parse(text, &started) ? started : 0;
}

int
slot_read(const struct world *w, const char *id, int64_t number, struct slot *out, struct err *e)
{
	int dir = slot_dir(w, e), rc;
	struct buf text = {0};
	char name[256];
	struct stat st;

	*out = (struct slot){.lease_s = SLOT_LEASE_S};
	if (dir < 0)
		return dir;
	slot_name(name, id, number);
	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return err_sys(
		    e, errno == ENOENT ? VIV_NO : VIV_TEMPFAIL, "cannot read '%s'", name);
	rc = file_read(dir, name, 2 * JSONL_MAX, &text, e);
	out->number = number;
	out->mtime_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
	if (rc == 0 && scan_check(text.p, text.len, NULL) == 0)
		slot_fill(out, scan_text(text.p, text.len));
	buf_free(&text);
	if (rc == -VIV_NO || rc == -VIV_IO)
		return rc;
	/* Torn by a power loss: somebody's claim, which expires like any other. */
	if (out->kind == SLOT_NONE)
		out->kind = SLOT_CLAIM;
	return 0;
}

cJSON *
slot_event(const struct world *w, const char *id, int64_t number)
{
	struct buf text = {0};
	char name[256];
	cJSON *rec, *event;
	int dir = slot_dir(w, NULL);

	if (dir < 0 ||
	    file_read(dir, slot_name(name, id, number), 2 * JSONL_MAX, &text, NULL) != 0) {
		buf_free(&text);
		return NULL;
	}
	rec = json_parse(text.p, text.len, NULL);
	buf_free(&text);
	event = rec != NULL && json_obj(rec, "event") != NULL ?
	    cJSON_DetachItemFromObjectCaseSensitive(rec, "event") : NULL;
	cJSON_Delete(rec);
	return event;
}

int
slot_last(const struct world *w, const char *id, int64_t base, struct slot *out, struct err *e)
{
	int dir = slot_dir(w, e);
	int64_t n = base;
	int rc;

	*out = (struct slot){.number = base};
	if (dir < 0)
		return dir;
	while (slot_exists(dir, id, n + 1))
		n++;
	/* The last generation may still hold its own slot: it is running. */
	if (n == base && (base == 0 || !slot_exists(dir, id, base)))
		return 0;
	rc = slot_read(w, id, n, out, e);
	if (rc == -VIV_NO) {
		*out = (struct slot){.number = base};
		return 0;
	}
	return rc;
}

struct scan_arg {
	const char *id;
	int64_t highest;
};

static int
scan_one(const char *id, int64_t number, void *arg)
{
	struct scan_arg *a = arg;

	if (number > a->highest && strcmp(id, a->id) == 0)
		a->highest = number;
	return 0;
}

int
slot_scan(const struct world *w, const char *id, struct slot *out, struct err *e)
{
	struct scan_arg a = {id, 0};
	int rc = slot_each(w, scan_one, &a, e);

	*out = (struct slot){0};
	if (rc != 0 || a.highest == 0)
		return rc;
	rc = slot_read(w, id, a.highest, out, e);
	return rc == -VIV_NO ? 0 : rc;
}
