/*
 * slot_hold: holding and renewing a claim, and judging whether somebody else's still
 * holds: what may be known for certain on one host, and what only by waiting.
 */
#include "slot.h"

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

/* Of 5 ms: an observer's probe lasts microseconds, and so does what a reaper keeps of a
 * command that has ended. */
enum { FLOCK_TRIES = 400, IDLE_TRIES = 20 };

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
	if (now > h->until_ns || slot_exists(dir, h->id, h->number + 1) || slot_touch(h->fd) != 0 ||
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
