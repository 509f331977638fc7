/*
 * run: one local command of a task line, from policy to evidence.
 *
 * Order matters: policy first (no file is touched for a refused command), then the
 * claim is taken hold of and renewed, then the scratch directory and the sandbox are
 * made, then the command is started under a fuse that ends it with its lease even if
 * this process is stopped. What it produced goes to results/<id>.<generation>.json
 * whole, before anybody hears of it; the events carry that file's hash.
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
#include "halt.h"
#include "json.h"
#include "num.h"
#include "stage.h"
#include "task.h"
#include "utf8.h"

enum {
	GRACE_MS = 1000,
	SUMMARY_CHARS = 200,
	LLM_RETRY_S = 60,
	READ_ROOTS = 64
};

/* --- what stands against it --- */

/* 1: the line has been answered; 0: go on. */
static int
refuse(struct run *r, const char *status, const char *reason, const char *detail)
{
	char *text = detail != NULL ? mem_fmt("%s: %s", reason, detail) : mem_dup(reason);

	stage_final(r->line, status, text);
	free(text);
	return 1;
}

static int
no_model(struct run *r)
{
	char when[CLOCK_TEXT];
	cJSON *ev = stage_requeue(r->line, "no model: viv-llm is not installed");

	clock_utc(clock_wall() + LLM_RETRY_S, when);
	json_set_str(ev, "not_before", when);
	return 1;
}

static int
check_task(struct run *r)
{
	const struct world *w = r->setup->w;
	char reason[256];
	struct err e = {0};

	if (w != NULL && halt_on(w, reason, sizeof(reason))) {
		stage_requeue(r->line, "halted");
		return 1;
	}
	if (!task_is_local(r->line))
		return task_prompt(r->line) != NULL ? no_model(r) :
		    refuse(r, "failed", "neither a command nor a prompt", NULL);
	if (task_command(r->line) == NULL)
		return refuse(r, "failed", "local, but without a command", NULL);
	if (policy_check(r->setup->policy, task_command(r->line), &r->argv, &e) != 0)
		return refuse(r, "failed", "refused by policy", e.msg);
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
	const char *dir = json_str(r->line, "workdir");
	struct err e = {0};

	if (dir == NULL && r->setup->workdir != NULL) {
		/* -D is the word of whoever runs this, not the task's: anywhere but the world. */
		r->workdir = realpath(r->setup->workdir, NULL);
		return r->workdir != NULL && !inside_world(r, r->workdir) ? 0 :
		    refuse(r, "failed", "cannot use the working directory", r->setup->workdir);
	}
	if (dir == NULL || *dir == '\0')
		return 0;
	if (policy_workdir(r->setup->policy, r->setup->w, dir, &r->workdir, &e) != 0)
		return refuse(r, "failed", "refused by policy", e.msg);
	return 0;
}

/* --- claim, scratch, sandbox --- */

static int
take_hold(struct run *r)
{
	const cJSON *claim = json_obj(r->line, "claim");
	const char *id = json_str(r->line, "id"), *token = json_str(claim, "token");
	struct err e = {0};

	if (r->setup->w == NULL || claim == NULL || id == NULL || token == NULL)
		return 0;
	if (slot_hold(&r->hold, r->setup->w, id, (int64_t)json_num(claim, "generation", 0), token,
		true, &e) != 0 ||
	    slot_renew(&r->hold, r->setup->w, &e) != 0) {
		err_warn("%s", e.msg);
		json_set_str(r->line, "status", "lost");
		json_del(r->line, "events");
		return 1;
	}
	r->renew_ns = clock_boot_ns() + r->hold.lease_ns / 3;
	return 0;
}

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
	const char *id = json_str(r->line, "id");
	int64_t gen = (int64_t)json_num(json_obj(r->line, "claim"), "generation", 0);
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
	double t = json_num(r->line, "timeout", r->setup->timeout_s);

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
	if (r->hold.fd >= 0)
		p.deadline_boot_ns = r->hold.until_ns != INT64_MAX && r->hold.until_ns > fuse ?
		    r->hold.until_ns : fuse;
	rc = proc_start(&r->proc, &p, e);
	sandbox_env_free(env);
	r->started = rc == 0;
	return rc;
}

int
run_start(struct run *r, struct run_setup *setup, cJSON *line, struct err *e)
{
	int rc;

	*r = (struct run){.setup = setup, .line = line, .hold = {.fd = -1}};
	if (!stage_open(line))
		return 1;
	if ((rc = check_task(r)) != 0 || (rc = check_workdir(r)) != 0 || (rc = take_hold(r)) != 0)
		return rc;
	if ((rc = make_scratch(r, e)) != 0)
		return rc;
	rc = prepare(r, e);
	if (rc == -VIV_REFUSED)
		return refuse(r, "failed", "not run without its sandbox", e->msg);
	return rc != 0 ? rc : start(r, e);
}

void
run_tend(struct run *r)
{
	struct err e;

	if (!r->started || r->hold.fd < 0 || r->lost || clock_boot_ns() < r->renew_ns)
		return;
	if (slot_renew(&r->hold, r->setup->w, &e) != 0) {
		err_warn("%s", e.msg);
		r->lost = true;
		proc_cancel(&r->proc, 0);
	}
	r->renew_ns = clock_boot_ns() + r->hold.lease_ns / 3;
}

void
run_cancel(struct run *r, const char *reason)
{
	if (!r->started || r->cancelled != NULL)
		return;
	r->cancelled = reason;
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
	bool ok = p->why == PROC_EXITED && task_exit_ok(r->line, p->exit_code);

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

/* results/<id>.<generation>.json, its name and hash into the result. */
static int
store(struct run *r, cJSON *res, struct err *e)
{
	const cJSON *claim = json_obj(r->line, "claim");
	const char *id = json_str(r->line, "id");
	char hash[FILE_SHA256], *name, *text;
	cJSON *file, *task;
	int rc;

	if (r->hold.fd < 0)
		return 0;
	file = json_new();
	task = cJSON_Duplicate(r->line, true);
	for (const char *const *m = (const char *const[]){"claim", "safety", "events", "committed",
		 "status", "context", "previous", NULL};
	     *m != NULL; m++)
		json_del(task, *m);
	json_set(file, "task", task);
	json_set(file, "claim", cJSON_Duplicate(claim, true));
	json_set(file, "result", cJSON_Duplicate(res, true));
	/* The token proves ownership while the claim lives; a result is readable. */
	json_del(json_obj(file, "claim"), "token");
	text = json_text(file);
	cJSON_Delete(file);
	name = mem_fmt("%s/%s.%lld.json", WORLD_RESULTS, id, (long long)r->hold.number);
	file_sha256(text, strlen(text), hash);
	rc = file_create(r->setup->w->fd, name, text, strlen(text), 0600, e);
	if (rc == -VIV_NO)	/* this very attempt was run before, by a stage that died */
		rc = file_replace(r->setup->w->fd, name, text, strlen(text), 0600, e);
	if (rc == 0) {
		json_set_str(res, "file", name);
		json_set_str(res, "sha256", hash);
	}
	free(name);
	free(text);
	return rc;
}

static void
add_completed(struct run *r, const cJSON *res)
{
	cJSON *ev = stage_event(r->line, "completed");
	const char *out = json_str(res, "stdout");
	char now[CLOCK_TEXT], *summary;
	size_t n = utf8_prefix(out, strlen(out), SUMMARY_CHARS);

	clock_utc(clock_wall(), now);
	summary = mem_ndup(out, n);
	for (char *p = summary; *p != '\0'; p++)
		if (*p == '\n')
			*p = ' ';
	json_set_str(ev, "completed_at", now);
	json_set_str(ev, "result_summary", summary);
	json_set(ev, "exit_code", cJSON_Duplicate(json_get(res, "exit_code"), true));
	if (strcmp(json_str(res, "status"), "completed") != 0)
		json_set_str(ev, "errors", json_str(res, "why"));
	json_set_num(ev, "wall_s", r->proc.wall_s);
	json_set_bool(ev, "safety_passed", true);
	if (json_str(res, "sha256") != NULL)
		json_set_str(ev, "result_sha256", json_str(res, "sha256"));
	free(summary);
}

int
run_finish(struct run *r, struct err *e)
{
	struct proc *p = &r->proc;
	cJSON *res;
	int rc;

	if (r->lost || (p->why == PROC_NOT_STARTED && p->exit_code == VIV_TIMEOUT)) {
		json_set_str(r->line, "status", "lost");
		json_del(r->line, "events");
		return 0;
	}
	if (r->cancelled != NULL && p->why == PROC_CANCELLED) {
		stage_requeue(r->line, r->cancelled);
		return 0;
	}
	/* Not the task's fault, and nothing can be run any more: the claims go back. */
	if (p->why == PROC_NOT_STARTED && p->exit_code == VIV_IO)
		return err_set(e, VIV_IO, "cannot start commands: %s", p->problem);
	if (p->why == PROC_NOT_STARTED) {
		refuse(r, "failed", "cannot be run", p->problem);
		return 0;
	}
	res = result_of(r);
	rc = store(r, res, e);
	if (rc != 0) {
		cJSON_Delete(res);
		return rc;
	}
	json_set(r->line, "result", res);
	add_completed(r, res);
	return 0;
}

cJSON *
run_free(struct run *r)
{
	cJSON *line = r->line;

	if (r->started)
		proc_free(&r->proc);
	remove_scratch(r);
	slot_hold_free(&r->hold);
	if (r->argv.argv != NULL)
		policy_argv_free(&r->argv);
	if (r->box != NULL)
		sandbox_free(r->box);
	free(r->workdir);
	free(r->scratch);
	free(r->scratch_name);
	*r = (struct run){.hold = {.fd = -1}};
	return line;
}
