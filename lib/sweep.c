/*
 * sweep: what ended attempts and dead processes leave behind.
 *
 * Nothing here is needed by anybody: the slots of an attempt whose end is durable in
 * the log, its scratch directory, what was observed of slots that no longer exist, and
 * temporary files whose writer must be dead after a day and a half. Each removal is
 * safe beside running residents, so no lock is taken.
 */
#include "sweep.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "file.h"
#include "json.h"
#include "layout.h"
#include "num.h"
#include "segment.h"

int
sweep_each(const struct world *w, const char *path, int (*fn)(int, const char *, void *), void *arg,
    struct err *e)
{
	int fd = openat(w->fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW), rc = 0;
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	struct dirent *de;

	if (d == NULL) {
		rc = errno == ENOENT ? 0 : err_sys(e, VIV_IO, "cannot list '%s'", path);
		if (fd >= 0)
			close(fd);
		return rc;
	}
	while (rc == 0 && (de = readdir(d)) != NULL)
		if (strcmp(de->d_name, ".") != 0 && strcmp(de->d_name, "..") != 0)
			rc = fn(dirfd(d), de->d_name, arg);
	closedir(d);
	return rc;
}

double
sweep_age(int dir, const char *name)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
		return 0;
	return clock_wall() - ((double)st.st_ctim.tv_sec + (double)st.st_ctim.tv_nsec / 1e9);
}

/* --- slots --- */

/* Make durable what the log holds now: a final line that another process has just
 * appended may still be waiting for its sync. */
int
sweep_sync(const struct world *w, struct err *e)
{
	char **names;
	size_t n;
	int rc = log_segments(w, &names, &n, e);

	for (size_t i = 0; rc == 0 && i < n; i++) {
		char *path = mem_fmt("%s/%s", WORLD_AUDIT, names[i]);
		int fd = -1;

		if (!segment_is_rotated(names[i]))
			fd = openat(w->fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
		if (fd >= 0 && fdatasync(fd) != 0)
			rc = err_sys(e, VIV_IO, "cannot sync '%s'", path);
		if (fd >= 0)
			close(fd);
		free(path);
	}
	segment_names_free(names, n);
	return rc;
}

/* A pseudo-task's slot names the claim it stands for; free it when that has ended. */
static bool
pseudo_over(const struct sweep *k, const struct slots_one *s)
{
	cJSON *event = slot_event(k->w, s->id, s->number);
	const char *id = json_str(event, "task_id");
	bool over = id != NULL && slots_ended(k->f, id, json_int(event, "generation", 0));

	cJSON_Delete(event);
	return over;
}

int
sweep_slots(const struct sweep *k, struct slots *s, struct err *e)
{
	int n = 0, rc = k->dry ? 0 : sweep_sync(k->w, e);

	for (size_t i = 0, end; rc == 0 && i < s->n; i = end) {
		const struct slots_one *top;

		end = slots_end(s, i);
		top = &s->v[end - 1];
		if (top->id[0] == '_' ? !pseudo_over(k, top) :
		    slots_judge(k->w, k->f, top->id, top->number, NULL) != SLOTS_OVER)
			continue;
		slots_remove(k->w, s, i, end, k->dry);
		for (size_t j = i; j < end; j++, n++) {
			char *path = slots_path(&s->v[j]);

			k->say(path, k->arg);
			free(path);
		}
	}
	return rc != 0 ? rc : n;
}

/* --- directories and files --- */

struct round {
	const struct sweep *k;
	const struct slots *s;
	const char *path;
	int n;
	struct err *e;
};

static int
drop(struct round *r, int dir, const char *name)
{
	char *path = mem_fmt("%s/%s", r->path, name);
	int rc = r->k->dry ? 0 : file_remove_tree(dir, name, r->e);

	if (rc == 0) {
		r->k->say(path, r->k->arg);
		r->n++;
	}
	free(path);
	return rc;
}

/* <id>.<generation> of an attempt that is over and about which nobody thinks. */
static int
sweep_scratch(int dir, const char *name, void *arg)
{
	struct round *r = arg;
	const char *dot = strrchr(name, '.');
	const struct fold_task *t;
	long long generation;
	char *id;

	if (dot == NULL || !num_int(dot + 1, 1, INT64_MAX, &generation))
		return 0;
	id = mem_ndup(name, (size_t)(dot - name));
	t = fold_get(r->k->f, id);
	free(id);
	if (t == NULL || t->generation < generation || clock_wall() - t->when < r->k->older_s)
		return 0;
	if (t->generation == generation && (!t->final || t->status == TASK_PENDING_REVIEW))
		return 0;
	return drop(r, dir, name);
}

int
sweep_work(const struct sweep *k, struct err *e)
{
	struct round r = {k, NULL, WORLD_WORK, 0, e};
	int rc = sweep_each(k->w, WORLD_WORK, sweep_scratch, &r, e);

	return rc != 0 ? rc : r.n;
}

static int
sweep_observation(int dir, const char *name, void *arg)
{
	struct round *r = arg;

	return slots_has(r->s, name) ? 0 : drop(r, dir, name);
}

static int
sweep_observer(int dir, const char *name, void *arg)
{
	struct round *r = arg, host = *r;
	char *path = mem_fmt("%s/%s", r->path, name);
	int rc;

	(void)dir;
	host.path = path;
	rc = sweep_each(r->k->w, path, sweep_observation, &host, r->e);
	r->n = host.n;
	free(path);
	return rc;
}

int
sweep_seen(const struct sweep *k, const struct slots *s, struct err *e)
{
	struct round r = {k, s, WORLD_CACHE "/seen", 0, e};
	int rc = sweep_each(k->w, r.path, sweep_observer, &r, e);

	return rc != 0 ? rc : r.n;
}

static int
sweep_temp_one(int dir, const char *name, void *arg)
{
	struct round *r = arg;

	return file_is_temp(name) && sweep_age(dir, name) >= r->k->temp_s ? drop(r, dir, name) : 0;
}

int
sweep_temp(const struct sweep *k, struct err *e)
{
	struct round r = {k, NULL, NULL, 0, e};
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < layout_count; i++) {
		r.path = layout_dirs[i].path;
		rc = sweep_each(k->w, r.path, sweep_temp_one, &r, e);
	}
	return rc != 0 ? rc : r.n;
}
