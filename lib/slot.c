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
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "file.h"
#include "json.h"
#include "jsonl.h"
#include "num.h"
#include "scan.h"

/* Of 5 ms: an observer's probe lasts microseconds, and so does what a reaper keeps of a
 * command that has ended. */
enum { FLOCK_TRIES = 400, IDLE_TRIES = 20 };

static const char *const kind_name[] = {"none", "claim", "free", "done"};

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

static char *
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

static bool
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

static void
slot_fill(struct slot *s, struct scan rec)
{
	char text[CLOCK_TEXT];
	double started;

	for (enum slot_kind k = SLOT_CLAIM; k <= SLOT_DONE; k++)
		if (scan_eq(scan_get(rec, "kind"), kind_name[k]))
			s->kind = k;
	scan_copy(scan_get(rec, "token"), s->token, sizeof(s->token));
	scan_copy(scan_get(rec, "resident_id"), s->resident, sizeof(s->resident));
	scan_copy(scan_get(rec, "identity_id"), s->identity, sizeof(s->identity));
	scan_copy(scan_get(rec, "host"), s->host, sizeof(s->host));
	scan_copy(scan_get(rec, "boot_id"), s->boot_id, sizeof(s->boot_id));
	s->pid = (int64_t)scan_number(scan_get(rec, "pid"), 0);
	s->pid_start = (int64_t)scan_number(scan_get(rec, "pid_start"), 0);
	s->pid_ns = (int64_t)scan_number(scan_get(rec, "pid_ns"), 0);
	s->lease_s = scan_number(scan_get(rec, "lease_s"), SLOT_LEASE_S);
	s->timeout_s = scan_number(scan_get(rec, "timeout_s"), 0);
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

/* --- writing --- */

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
	json_set_str(r, "kind", kind_name[kind]);
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

static int
set_mtime(int fd)
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
	    (set_mtime(fd) != 0 || (w->shared && fdatasync(fd) != 0) || fstat(fd, st) != 0))
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

/* --- holding --- */

/* Try for the flock of an open slot file: 0 or errno. */
static int
flock_patiently(int fd)
{
	for (int i = 0; i < FLOCK_TRIES; i++) {
		if (flock(fd, LOCK_SH | LOCK_NB) == 0)
			return 0;
		if (errno != EWOULDBLOCK && errno != EINTR)
			return errno;
		clock_sleep_ms(5);
	}
	return EWOULDBLOCK;
}

int
slot_hold(struct slot_hold *h, const struct world *w, const char *id, int64_t number,
    const char *token, bool execute, struct err *e)
{
	int dir = slot_dir(w, e);
	struct slot s;
	char name[256];
	bool lost;
	int rc;

	*h = (struct slot_hold){.fd = -1, .number = number};
	if (dir < 0)
		return dir;
	h->fd = openat(dir, slot_name(name, id, number), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (h->fd < 0 && errno == ENOENT)
		return err_set(e, VIV_REFUSED, "the claim on '%s' is gone", id);
	if (h->fd < 0)
		return err_sys(e, VIV_IO, "cannot open '%s/%s'", WORLD_LOCKS, name);
	lost = execute && flock_patiently(h->fd) != 0;
	rc = lost ? 0 : slot_read(w, id, number, &s, e);
	if (rc != 0 && rc != -VIV_NO) {
		slot_hold_free(h);
		return rc;
	}
	if (lost || rc != 0 || strcmp(s.token, token) != 0 || s.kind != SLOT_CLAIM ||
	    slot_exists(dir, id, number + 1)) {
		slot_hold_free(h);
		return err_set(e, VIV_REFUSED, "the claim on '%s' is lost", id);
	}
	h->id = mem_dup(id);
	snprintf(h->token, sizeof(h->token), "%s", token);
	h->lease_ns = (int64_t)(s.lease_s * 1e9);
	h->until_ns = strcmp(s.boot_id, w->boot_id) == 0 ? s.mtime_ns + h->lease_ns : INT64_MAX;
	return 0;
}

void
slot_hold_free(struct slot_hold *h)
{
	if (h->fd >= 0)
		close(h->fd);
	free(h->id);
	*h = (struct slot_hold){.fd = -1};
}

int
slot_renew(struct slot_hold *h, const struct world *w, struct err *e)
{
	int dir = slot_dir(w, e);
	int64_t now = clock_boot_ns();
	struct stat st;

	if (dir < 0)
		return dir;
	if (now > h->until_ns || slot_exists(dir, h->id, h->number + 1) || set_mtime(h->fd) != 0 ||
	    slot_exists(dir, h->id, h->number + 1) || fstat(h->fd, &st) != 0 || st.st_nlink == 0 ||
	    clock_boot_ns() > h->until_ns)
		return err_set(e, VIV_REFUSED, "the claim on '%s' is lost", h->id);
	if (h->until_ns != INT64_MAX)
		h->until_ns = now + h->lease_ns;
	return 0;
}

int
slot_mine(const struct world *w, const char *id, int64_t number, const char *token, struct err *e)
{
	int dir = slot_dir(w, e);
	struct slot s;
	int rc;

	if (dir < 0)
		return dir;
	rc = slot_read(w, id, number, &s, e);
	if (rc != 0 && rc != -VIV_NO)
		return rc;
	if (rc == -VIV_NO || s.kind != SLOT_CLAIM || strcmp(s.token, token) != 0 ||
	    slot_exists(dir, id, number + 1))
		return err_set(e, VIV_REFUSED, "the claim on '%s' is lost", id);
	return 0;
}

/* --- judging others --- */

/* The slot's exclusive flock: a descriptor, or -1 when somebody holds it, or on doubt. */
static int
flock_alone(const struct world *w, const char *id, int64_t number)
{
	char name[256];
	int dir = slot_dir(w, NULL), fd;

	fd = dir < 0 ? -1 :
		       openat(dir, slot_name(name, id, number), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) != 0) {
		close(fd);
		fd = -1;
	}
	return fd;
}

bool
slot_idle(const struct world *w, const char *id, int64_t number, int *guard_out)
{
	*guard_out = flock_alone(w, id, number);
	for (int i = 0; i < IDLE_TRIES && *guard_out < 0; i++) {
		clock_sleep_ms(5);
		*guard_out = flock_alone(w, id, number);
	}
	return *guard_out >= 0;
}

/* Seconds for which this host has seen the slot unchanged; the first look writes it down. */
static double
unchanged_for(const struct world *w, const char *id, const struct slot *s)
{
	char *path = mem_fmt("%s/seen/%s", WORLD_CACHE, w->host);
	char *file = mem_fmt("%s/%s", path, id);
	char boot[40] = "", want[160];
	int64_t number = 0, mtime = 0, first = 0, now = clock_boot_ns();
	struct buf text = {0};
	int fd, n;

	if (file_read(w->fd, file, 4096, &text, NULL) == 0 && text.len > 0 &&
	    text.p[text.len - 1] == '\n')
		sscanf(
		    text.p, "%39s %" SCNd64 " %" SCNd64 " %" SCNd64, boot, &number, &mtime, &first);
	buf_free(&text);
	if (strcmp(boot, w->boot_id) != 0 || number != s->number || mtime != s->mtime_ns ||
	    first > now) {
		first = now;
		n = snprintf(want, sizeof(want), "%s %" PRId64 " %" PRId64 " %" PRId64 "\n",
		    w->boot_id, s->number, s->mtime_ns, now);
		world_cache_dir(w, "seen", NULL);
		file_mkdirs(w->fd, path, 0700, NULL);
		fd = openat(
		    w->fd, file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
		/* Not written: the next look starts the wait again, which is only slower. */
		if (fd >= 0 && (write(fd, want, (size_t)n) != n || close(fd) != 0))
			unlinkat(w->fd, file, 0);
	}
	free(file);
	free(path);
	return (double)(now - first) / 1e9;
}

enum slot_verdict
slot_judge_lock(const struct world *w, const char *id, const struct slot *s, int *guard_out)
{
	bool here = strcmp(s->host, w->host) == 0;
	bool this_boot = here && strcmp(s->boot_id, w->boot_id) == 0;
	double wait = s->lease_s + (w->shared ? SLOT_MARGIN_SHARED_S : SLOT_MARGIN_S);

	*guard_out = -1;
	/* Cloned machine ids are common where a world is shared: there a boot id proves
	 * nothing. */
	if (here && !this_boot && s->boot_id[0] != '\0' && !w->shared)
		return SLOT_DEAD;
	if (this_boot) {
		*guard_out = flock_alone(w, id, s->number);
		if (*guard_out >= 0 && s->pid > 0 && s->pid_ns == slot_pid_ns() &&
		    (s->pid_start == 0 || slot_pid_start(s->pid) != s->pid_start))
			return SLOT_DEAD;
		/* A command of a stopped viv-cycle ends by its own timer, timeout_s later. */
		if (*guard_out < 0)
			wait += s->timeout_s + 1;
	}
	if (unchanged_for(w, id, s) > wait)
		return SLOT_EXPIRED;
	if (*guard_out >= 0)
		close(*guard_out);
	*guard_out = -1;
	return SLOT_HELD;
}

enum slot_verdict
slot_judge(const struct world *w, const char *id, const struct slot *s)
{
	int guard;
	enum slot_verdict v = slot_judge_lock(w, id, s, &guard);

	if (guard >= 0)
		close(guard);
	return v;
}
