/*
 * world: which directory is the world, where its files are, what its limits are.
 *
 * A world is found like a git repository: -C, $VIV_ROOT, or the nearest ancestor of
 * the working directory that holds world/mutable/queue.json. Every file is then
 * opened relative to one descriptor of the root, so that a world may lie on any path
 * and be moved while nothing runs.
 */
#include "world.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "conf.h"
#include "file.h"
#include "json.h"

static char *
find_root(struct err *e)
{
	char cwd[PATH_MAX];

	if (getcwd(cwd, sizeof(cwd)) == NULL) {
		err_sys(e, VIV_CONFIG, "cannot tell the working directory");
		return NULL;
	}
	for (;;) {
		char *queue = mem_fmt("%s/%s", strcmp(cwd, "/") == 0 ? "" : cwd, WORLD_QUEUE);
		int found = access(queue, F_OK) == 0;
		char *slash = strrchr(cwd, '/');

		free(queue);
		if (found)
			return mem_dup(cwd);
		if (slash == NULL || cwd[1] == '\0')
			break;
		slash[slash == cwd] = '\0';
	}
	err_set(e, VIV_CONFIG,
	    "no world here: name one with -C DIR or VIV_ROOT, or make one with 'viv-init DIR'");
	return NULL;
}

/* First line of a small file of the system, at most size - 1 bytes. */
static bool
first_line(const char *path, char *out, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return false;
	n = read(fd, out, size - 1);
	close(fd);
	if (n <= 0)
		return false;
	out[n] = '\0';
	out[strcspn(out, "\n")] = '\0';
	return out[0] != '\0';
}

static void
identify_host(struct world *w)
{
	const char *given = getenv("VIV_HOST");
	struct utsname u;

	if (given != NULL && *given != '\0')
		snprintf(w->host, sizeof(w->host), "%s", given);
	else if (!first_line("/etc/machine-id", w->host, sizeof(w->host)) && uname(&u) == 0)
		snprintf(w->host, sizeof(w->host), "%.64s", u.nodename);
	for (char *p = w->host; *p != '\0'; p++)
		if (!isalnum((unsigned char)*p) && *p != '-')
			*p = '_';
	/* Digits alone would read as the number of a rotated log. */
	if (w->host[strspn(w->host, "0123456789")] == '\0')
		memcpy(w->host, "host", sizeof("host"));
	if (!first_line("/proc/sys/kernel/random/boot_id", w->boot_id, sizeof(w->boot_id)))
		snprintf(w->boot_id, sizeof(w->boot_id), "unknown");
}

int
world_open(struct world *w, const char *dir, struct err *e)
{
	char *real;

	*w = (struct world){.fd = -1};
	if (dir == NULL)
		dir = getenv("VIV_ROOT");
	if (dir != NULL && *dir != '\0') {
		real = realpath(dir, NULL);
		if (real == NULL)
			return err_sys(e, VIV_CONFIG, "cannot open the world '%s'", dir);
	} else if ((real = find_root(e)) == NULL) {
		return -VIV_CONFIG;
	}
	w->root = real;
	w->fd = open(real, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (w->fd < 0)
		err_sys(e, VIV_CONFIG, "cannot open the world '%s'", real);
	else if (faccessat(w->fd, WORLD_MUTABLE, F_OK, 0) != 0)
		err_set(
		    e, VIV_CONFIG, "'%s' is not a world: make one with 'viv-init %s'", real, real);
	else {
		w->shared = faccessat(w->fd, WORLD_PHYSICS "/shared", F_OK, 0) == 0;
		identify_host(w);
		return 0;
	}
	world_close(w);
	return -VIV_CONFIG;
}

int
world_find(struct world *w, const char *dir, struct err *e)
{
	const char *env = getenv("VIV_ROOT");
	int rc = world_open(w, dir, e);

	if (rc == 0)
		return 1;
	return dir != NULL || (env != NULL && *env != '\0') ? rc : 0;
}

void
world_close(struct world *w)
{
	if (w->fd >= 0)
		close(w->fd);
	free(w->root);
	*w = (struct world){.fd = -1};
}

int
world_cache_dir(const struct world *w, const char *sub, struct err *e)
{
	char *path = mem_fmt("%s/%s", WORLD_CACHE, sub);
	int rc = file_mkdirs(w->fd, path, 0700, e);

	free(path);
	return rc;
}

int
world_limits(const struct world *w, struct world_limits *out, struct err *e)
{
	struct {
		const char *name;
		long long *value;
	} const limit[] = {
		{"max_tasks", &out->max_tasks},
		{"max_instruction_chars", &out->max_instruction_chars},
		{"max_metadata_keys", &out->max_metadata_keys},
		{"max_metadata_bytes", &out->max_metadata_bytes},
		{"max_result_chars", &out->max_result_chars},
	};
	cJSON *obj;
	int rc = conf_read(w->fd, WORLD_LIMITS, &obj, e);

	*out = (struct world_limits){1000000, 4000, 64, 16384, 64000};
	if (rc != 0)
		return rc == -VIV_NO ? 0 : rc;
	for (size_t i = 0; i < sizeof(limit) / sizeof(limit[0]) && rc == 0; i++) {
		const cJSON *v = json_get(obj, limit[i].name);

		if (v == NULL)
			continue;
		if (!cJSON_IsNumber(v) || v->valuedouble < 1 || v->valuedouble > 1e15)
			rc = err_set(e, VIV_CONFIG, "'%s': '%s' must be a positive integer",
			    WORLD_LIMITS, limit[i].name);
		else
			*limit[i].value = (long long)v->valuedouble;
	}
	cJSON_Delete(obj);
	return rc;
}

char *
world_share(const char *name)
{
	static const char *const place[] = {"../share/vivarium", "../share", ".."};
	char exe[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	char *slash;

	if (n <= 0)
		return NULL;
	exe[n] = '\0';
	slash = strrchr(exe, '/');
	if (slash == NULL)
		return NULL;
	*slash = '\0';
	for (size_t i = 0; i < sizeof(place) / sizeof(place[0]); i++) {
		char *path = mem_fmt("%s/%s/%s", exe, place[i], name);
		char *real = realpath(path, NULL);

		free(path);
		if (real != NULL)
			return real;
	}
	return NULL;
}
