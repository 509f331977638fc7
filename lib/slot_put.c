/*
 * slot_put: making slots. Each is written whole to a temporary file and published by
 * link(2); lib/slot.c tells what they are.
 */
#include "slot.h"

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

/* Ours does not change while we live. */
int64_t
slot_pid_ns(void)
{
	static int64_t ns = -1;
	struct stat st;

	if (ns < 0)
		ns = stat("/proc/self/ns/pid", &st) == 0 ? (int64_t)st.st_ino : 0;
	return ns;
}

int64_t
slot_pid_start(int64_t pid)
{
	char path[64], text[512];
	long long start = 0;
	ssize_t n;
	char *p, state = '?';
	int fd;

	snprintf(path, sizeof(path), "/proc/%" PRId64 "/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	p = strrchr(text, ')');		/* the name may hold anything */
	if (p == NULL ||
	    sscanf(p + 1,
		" %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d "
		"%*d %*d %*d %lld",
		&state, &start) != 2)
		return 0;
	return state == 'Z' || state == 'X' ? 0 : start;
}

/* The same for the owner of a claim, who is most often ourselves. */
static int64_t
owner_start(int64_t pid)
{
	static int64_t self, start;

	if (pid != getpid())
		return slot_pid_start(pid);
	if (self != pid) {
		self = pid;
		start = slot_pid_start(pid);
	}
	return start;
}

static char *
slot_record(const struct world *w, const char *id, int64_t number, enum slot_kind kind,
    const char *token, const struct slot_owner *o, const cJSON *event)
{
	cJSON *r = json_new();
	char now[CLOCK_TEXT], *text;

	clock_utc(clock_wall(), now);
	json_set_str(r, "resident_id", o->resident);
	json_set_str(r, "worker_id", o->resident);
	json_set_str(r, "started_at", now);
	json_set_str(r, "task_id", id);
	json_set_str(r, "kind", slot_kind_name[kind]);
	json_set_num(r, "generation", (double)number);
	json_set_str(r, "token", token);
	json_set_str(r, "host", w->host);
	json_set_str(r, "boot_id", w->boot_id);
	if (o->pid > 0) {
		json_set_num(r, "pid", (double)o->pid);
		json_set_num(r, "pid_start", (double)owner_start(o->pid));
		json_set_num(r, "pid_ns", (double)slot_pid_ns());
	}
	if (kind == SLOT_CLAIM) {
		json_set_num(r, "lease_s", o->lease_s);
		json_set_num(r, "timeout_s", o->timeout_s);
	}
	if (o->identity != NULL)
		json_set_str(r, "identity_id", o->identity);
	if (event != NULL)
		json_set(r, "event", cJSON_Duplicate(event, true));
	text = json_text(r);
	cJSON_Delete(r);
	return text;
}

int
slot_touch(int fd)
{
	int64_t now = clock_boot_ns();
	struct timespec t[2] = {{0, UTIME_OMIT}, {now / 1000000000, now % 1000000000}};

	return futimens(fd, t);
}

/* Write the record to a temporary file whose inode is *st; its name or NULL. */
static char *
slot_temp(const struct world *w, int dir, const char *name, const char *record, struct stat *st,
    struct err *e)
{
	char *tmp = file_temp_name(name);
	int fd = openat(dir, tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	int rc;

	if (fd < 0) {
		err_sys(e, VIV_CANTCREAT, "cannot create '%s/%s'", WORLD_LOCKS, name);
		free(tmp);
		return NULL;
	}
	rc = file_write(fd, record, strlen(record), name, e);
	if (rc == 0 &&
	    (slot_touch(fd) != 0 || (w->shared && fdatasync(fd) != 0) || fstat(fd, st) != 0))
		rc = err_sys(e, VIV_IO, "cannot write '%s/%s'", WORLD_LOCKS, name);
	if (close(fd) != 0 && rc == 0)
		rc = err_sys(e, VIV_IO, "cannot write '%s/%s'", WORLD_LOCKS, name);
	if (rc == 0)
		return tmp;
	unlinkat(dir, tmp, 0);
	free(tmp);
	return NULL;
}

/* link(2) said EEXIST or something odd: is the slot ours after all? */
static bool
slot_ours(const struct world *w, const char *id, int64_t number, enum slot_kind kind,
    const char *token, const struct stat *mine)
{
	struct stat st;
	struct slot s;
	char name[256];
	int dir = slot_dir(w, NULL);

	if (dir < 0 || fstatat(dir, slot_name(name, id, number), &st, AT_SYMLINK_NOFOLLOW) != 0)
		return false;
	if (st.st_ino == mine->st_ino && st.st_dev == mine->st_dev)
		return true;
	return slot_read(w, id, number, &s, NULL) == 0 && s.kind == kind &&
	    strcmp(s.token, token) == 0;
}

int
slot_put(const struct world *w, const char *id, int64_t number, int64_t prev, enum slot_kind kind,
    const char token[33], const struct slot_owner *owner, const cJSON *event, struct err *e)
{
	int dir = slot_dir(w, e), saved;
	char name[256], *record, *tmp;
	struct stat mine;

	if (dir < 0)
		return dir;
	slot_name(name, id, number);
	record = slot_record(w, id, number, kind, token, owner, event);
	tmp = slot_temp(w, dir, name, record, &mine, e);
	free(record);
	if (tmp == NULL)
		return -(e != NULL ? e->code : VIV_IO);
	saved = linkat(dir, tmp, dir, name, 0) == 0 ? 0 : errno;
	if (saved != 0 && slot_ours(w, id, number, kind, token, &mine))
		saved = 0;
	unlinkat(dir, tmp, 0);
	free(tmp);
	errno = saved;
	if (saved == EEXIST)
		return err_set(e, VIV_REFUSED, "'%s' is no longer ours to change", id);
	if (saved != 0)
		return err_sys(e, VIV_CANTCREAT, "cannot create '%s/%s'", WORLD_LOCKS, name);
	/* A chain that was removed under us, or has gone on above us, is not ours. */
	if ((prev > 0 && !slot_exists(dir, id, prev)) || slot_exists(dir, id, number + 1)) {
		unlinkat(dir, name, 0);
		return err_set(e, VIV_REFUSED, "'%s' is no longer ours to change", id);
	}
	if (w->shared && fsync(dir) != 0 && errno != EINVAL)
		return err_sys(e, VIV_IO, "cannot sync '%s'", WORLD_LOCKS);
	return 0;
}

void
slot_remove(const struct world *w, const char *id, int64_t number)
{
	char name[256];
	int dir = slot_dir(w, NULL);

	if (dir >= 0)
		unlinkat(dir, slot_name(name, id, number), 0);
}

void
slot_remove_chain(const struct world *w, const char *id, int64_t number)
{
	int dir = slot_dir(w, NULL);
	int64_t n = number;

	while (dir >= 0 && n > 1 && slot_exists(dir, id, n - 1))
		n--;
	for (; n <= number; n++)
		slot_remove(w, id, n);
}
