/*
 * run: one local command of a task line, from policy to evidence.
 *
 * Order matters: policy first (no file is touched for a refused command), then the
 * claim is taken hold of and renewed, then the scratch directory and the sandbox are
 * made, then the command is started under a fuse that ends it with its lease even if
 * this process is stopped.
 */
#include "run.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "file.h"
#include "json.h"
#include "stage.h"
#include "task.h"
#include "utf8.h"

enum { GRACE_MS = 1000, READ_ROOTS = 64 };

/* --- what stands against it --- */

/* 1: the line has been answered; 0: go on. */
static int
check_task(struct run *r)
{
	const char *text = task_command(r->at.line);
	struct err e = {0};

	if (text == NULL)
		return attempt_refuse(&r->at, "local, but without a command", NULL);
	if (policy_check(r->setup->policy, text, &r->argv, &e) != 0)
		return attempt_refuse(&r->at, "refused by policy", e.msg);
	return 0;
}

static bool
inside_world(const struct run *r, const char *dir)
{
	char *root = r->setup->w != NULL ? realpath(r->setup->w->root, NULL) : NULL;
	size_t n = root != NULL ? strlen(root) : 0;
	bool inside = root != NULL && strncmp(dir, root, n) == 0 &&
	    (dir[n] == '/' || dir[n] == '\0');

	free(root);
	return inside;
}

static int
check_workdir(struct run *r)
{
	const char *dir = json_str(r->at.line, "workdir");
	struct err e = {0};

	if (dir == NULL && r->setup->workdir != NULL) {
		/* -D is the word of whoever runs this, not the task's: anywhere but the world. */
		r->workdir = realpath(r->setup->workdir, NULL);
		return r->workdir != NULL && !inside_world(r, r->workdir) ? 0 :
		    attempt_refuse(&r->at, "cannot use the working directory", r->setup->workdir);
	}
	if (dir == NULL || *dir == '\0')
		return 0;
	if (policy_workdir(r->setup->policy, r->setup->w, dir, &r->workdir, &e) != 0)
		return attempt_refuse(&r->at, "refused by policy", e.msg);
	return 0;
}

/* --- claim, scratch, sandbox --- */

/* Making and removing an inode for each run is what a file system is slowest at: an
 * empty directory is passed on by name. */
static bool
reuse_idle(struct run *r)
{
	const struct world *w = r->setup->w;
	bool done;

	if (r->setup->idle == NULL)
		return false;
	done = renameat(w->fd, r->setup->idle, w->fd, r->scratch_name) == 0;
	if (done) {
		free(r->setup->idle);
		r->setup->idle = NULL;
	}
	return done;
}

void
run_idle(struct run_setup *setup)
{
	struct err e;

	if (setup->idle != NULL && file_remove_tree(setup->w->fd, setup->idle, &e) != 0)
		err_warn("%s", e.msg);
	free(setup->idle);
	setup->idle = NULL;
}

static bool
is_empty(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
	const struct dirent *de;
	int n = 0;

	if (d == NULL) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	while (n <= 2 && (de = readdir(d)) != NULL)
		n++;
	closedir(d);
	return n == 2;
}

static int
make_scratch(struct run *r, struct err *e)
{
	const struct world *w = r->setup->w;
	const char *id = json_str(r->at.line, "id");
	int64_t gen = json_int(json_obj(r->at.line, "claim"), "generation", 0);
	const char *tmp = getenv("TMPDIR");

	if (w == NULL || id == NULL || task_id_check(id, NULL) != 0) {
		r->scratch = mem_fmt(
		    "%s/viv-cycle.XXXXXX", tmp != NULL && *tmp == '/' ? tmp : "/tmp");
		if (mkdtemp(r->scratch) == NULL)
			return err_sys(e, VIV_CANTCREAT, "cannot create a scratch directory");
		return 0;
	}
	r->scratch_name = mem_fmt("%s/%s.%lld", WORLD_WORK, id, (long long)gen);
	r->scratch = mem_fmt("%s/%s", w->root, r->scratch_name);
	if (reuse_idle(r) || mkdirat(w->fd, r->scratch_name, 0700) == 0)
		return 0;
	/* Left by an earlier run of the same line. */
	if (file_remove_tree(w->fd, r->scratch_name, e) != 0)
		return -VIV_IO;
	if (file_mkdirs(w->fd, WORLD_WORK, 0700, e) != 0 ||
	    mkdirat(w->fd, r->scratch_name, 0700) != 0)
		return err_sys(e, VIV_CANTCREAT, "cannot create '%s'", r->scratch_name);
	return 0;
}

static void
remove_scratch(struct run *r)
{
	struct err e = {0};

	if (r->scratch_name != NULL && r->setup->idle == NULL &&
	    is_empty(r->setup->w->fd, r->scratch_name)) {
		r->setup->idle = r->scratch_name;
		r->scratch_name = NULL;
	} else if (r->scratch != NULL && file_remove_tree(AT_FDCWD, r->scratch, &e) != 0) {
		err_warn("%s", e.msg);
	}
}

static int
prepare(struct run *r, struct err *e)
{
	static const char *const shared[] = {
	    "world/mutable/library", "world/mutable/.swarm/discussions"};
	const char *const *roots = policy_read_roots(r->setup->policy);
	const char *read[READ_ROOTS + 4] = {NULL};
	char *own[2] = {NULL, NULL};
	struct sandbox_spec spec = {.read = read, .scratch = r->scratch,
	    .forbid = r->setup->w != NULL ? r->setup->w->root : NULL, .fork = r->argv.fork,
	    .floor = policy_floor(r->setup->policy)};
	size_t n = 0;
	int rc;

	for (; roots != NULL && *roots != NULL && n < READ_ROOTS; roots++)
		if (access(*roots, F_OK) == 0)
			read[n++] = *roots;
	if (r->workdir != NULL)
		read[n++] = r->workdir;
	for (int i = 0; r->setup->w != NULL && i < 2; i++) {
		own[i] = mem_fmt("%s/%s", r->setup->w->root, shared[i]);
		if (access(own[i], F_OK) == 0)
			read[n++] = own[i];
	}
	rc = sandbox_prepare(&r->box, &spec, e);
	free(own[0]);
	free(own[1]);
	return rc;
}

static double
timeout_of(const struct run *r)
{
	double t = json_num(r->at.line, "timeout", r->setup->timeout_s);

	return t < 1 ? 1 : t > TASK_TIMEOUT_MAX_S ? TASK_TIMEOUT_MAX_S : t;
}

static int
start(struct run *r, struct err *e)
{
	struct sandbox_spec spec = {.scratch = r->scratch};
	char **env = sandbox_env(&spec);
	double timeout = timeout_of(r);
	int64_t fuse = clock_boot_ns() + (int64_t)((timeout + 1) * 1e9);
	struct proc_spec p = {.path = r->argv.path,
	    .argv = r->argv.argv,
	    .env = env,
	    .cwd = r->workdir != NULL ? r->workdir : r->scratch,
	    .box = r->box,
	    .timeout_s = timeout,
	    .max_output = r->setup->max_output};
	int rc;

	/* To the end of the lease, or of the longest wait that slot_judge grants an executor. */
	if (r->at.hold.fd >= 0) {
		p.hold_fd = r->at.hold.fd;
		p.deadline_boot_ns = r->at.hold.until_ns != INT64_MAX &&
		    r->at.hold.until_ns > fuse ? r->at.hold.until_ns : fuse;
	}
	rc = proc_start(&r->proc, &p, e);
	sandbox_env_free(env);
	r->started = rc == 0;
	return rc;
}

int
run_start(struct run *r, struct run_setup *setup, cJSON *line, struct err *e)
{
	int rc;

	*r = (struct run){.setup = setup};
	attempt_init(&r->at, setup->w, line);
	if ((rc = check_task(r)) != 0 || (rc = check_workdir(r)) != 0 ||
	    (rc = attempt_hold(&r->at)) != 0)
		return rc;
	if ((rc = make_scratch(r, e)) != 0)
		return rc;
	rc = prepare(r, e);
	if (rc == -VIV_REFUSED)
		return attempt_refuse(&r->at, "not run without its sandbox", e->msg);
	return rc != 0 ? rc : start(r, e);
}

int
run_poll(struct run *r, struct pollfd *fds, int *timeout_ms)
{
	attempt_due(&r->at, timeout_ms);
	return proc_poll(&r->proc, fds, timeout_ms);
}

bool
run_step(struct run *r)
{
	bool lost = r->at.lost;

	if (!attempt_tend(&r->at) && !lost)
		proc_cancel(&r->proc, 0);
	proc_step(&r->proc);
	return proc_done(&r->proc);
}

void
run_cancel(struct run *r, const char *reason)
{
	if (!r->started || r->at.cancelled != NULL)
		return;
	r->at.cancelled = reason;
	proc_cancel(&r->proc, GRACE_MS);
}

/* --- evidence --- */

static void
set_stream(cJSON *res, const char *name, const struct proc_stream *s)
{
	char key[32];
	size_t n = s->text.len;
	char *text = mem_alloc(3 * n + 1);
	size_t out = 0, i = 0;

	/* Bytes that are no UTF-8 (or NUL) cannot stand in JSON: shown as U+FFFD; the hash is
	 * of the real ones. */
	while (i < n) {
		uint32_t cp;
		size_t len = utf8_decode(s->text.p + i, n - i, &cp);

		if (len == 0 || cp == 0) {
			out += utf8_encode(text + out, 0xfffd);
			i++;
			continue;
		}
		memcpy(text + out, s->text.p + i, len);
		out += len;
		i += len;
	}
	text[out] = '\0';
	json_set_str(res, name, text);
	free(text);
	snprintf(key, sizeof(key), "%s_bytes", name);
	json_set_num(res, key, (double)s->bytes);
	snprintf(key, sizeof(key), "%s_sha256", name);
	json_set_str(res, key, s->sha256);
}

static cJSON *
result_of(const struct run *r)
{
	static const char *const why[] = {
	    "exited", "signaled", "timed_out", "cancelled", "too_much_output", "not_started"};
	const struct proc *p = &r->proc;
	cJSON *res = json_new(), *argv = json_list();
	bool ok = p->why == PROC_EXITED && task_exit_ok(r->at.line, p->exit_code);

	json_set_str(res, "status", ok ? "completed" : "failed");
	json_set(res, "exit_code", p->why == PROC_EXITED || p->why == PROC_NOT_STARTED ?
	    cJSON_CreateNumber(p->exit_code) : cJSON_CreateNull());
	json_set(res, "signal",
	    p->term_signal != 0 ? cJSON_CreateNumber(p->term_signal) : cJSON_CreateNull());
	json_set_bool(res, "timed_out", p->why == PROC_TIMED_OUT);
	json_set_str(res, "why", why[p->why]);
	set_stream(res, "stdout", &p->out);
	set_stream(res, "stderr", &p->err);
	json_set_bool(
	    res, "truncated", p->out.bytes > p->out.text.len || p->err.bytes > p->err.text.len);
	json_set_num(res, "wall_s", p->wall_s);
	json_set_num(res, "user_s", p->user_s);
	json_set_num(res, "sys_s", p->sys_s);
	json_set_num(res, "max_rss_kb", (double)p->max_rss_kb);
	for (int i = 0; i < r->argv.argc; i++)
		json_push(argv, cJSON_CreateString(r->argv.argv[i]));
	json_set(res, "argv", argv);
	json_set_str(res, "workdir", r->workdir != NULL ? r->workdir : r->scratch);
	return res;
}

static void
add_completed(struct run *r, const cJSON *res)
{
	cJSON *ev = stage_event(r->at.line, "completed");
	char now[CLOCK_TEXT];

	clock_utc(clock_wall(), now);
	json_set_str(ev, "completed_at", now);
	attempt_summary(ev, json_str(res, "stdout"));
	json_set(ev, "exit_code", cJSON_Duplicate(json_get(res, "exit_code"), true));
	if (strcmp(json_str(res, "status"), "completed") != 0)
		json_set_str(ev, "errors", json_str(res, "why"));
	json_set_num(ev, "wall_s", r->proc.wall_s);
	json_set_bool(ev, "safety_passed", true);
	if (json_str(res, "sha256") != NULL)
		json_set_str(ev, "result_sha256", json_str(res, "sha256"));
}

int
run_finish(struct run *r, struct err *e)
{
	struct proc *p = &r->proc;
	cJSON *res;
	int rc;

	if (r->at.lost || (p->why == PROC_NOT_STARTED && p->exit_code == VIV_TIMEOUT)) {
		attempt_lost(&r->at);
		return 0;
	}
	if (r->at.cancelled != NULL && p->why == PROC_CANCELLED) {
		stage_requeue(r->at.line, r->at.cancelled);
		return 0;
	}
	/* Not the task's fault, and nothing can be run any more: the claims go back. */
	if (p->why == PROC_NOT_STARTED && p->exit_code == VIV_IO)
		return err_set(e, VIV_IO, "cannot start commands: %s", p->problem);
	if (p->why == PROC_NOT_STARTED) {
		attempt_refuse(&r->at, "cannot be run", p->problem);
		return 0;
	}
	res = result_of(r);
	rc = attempt_store(&r->at, res, e);
	if (rc != 0) {
		cJSON_Delete(res);
		return rc;
	}
	json_set(r->at.line, "result", res);
	add_completed(r, res);
	return 0;
}

cJSON *
run_free(struct run *r)
{
	if (r->started)
		proc_free(&r->proc);
	remove_scratch(r);
	if (r->argv.argv != NULL)
		policy_argv_free(&r->argv);
	if (r->box != NULL)
		sandbox_free(r->box);
	free(r->workdir);
	free(r->scratch);
	free(r->scratch_name);
	return attempt_end(&r->at);
}
