/*
 * pipeline: a few programs of ours in a row, without a shell.
 *
 * The input is written and the output read in one poll loop, so that neither side can
 * block the other. Each stage dies with us (PR_SET_PDEATHSIG). When we are asked to end,
 * or the time is up, or there is too much output, all get SIGTERM, which viv-cycle uses
 * to take back what it runs, and GRACE_MS later SIGKILL; their output is read on until
 * then, so that none of them waits for us.
 */
#include "pipeline.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "env.h"
#include "stop.h"

enum { GRACE_MS = 5000, TICK_MS = 1000, CHUNK = 65536 };

struct flow {
	pid_t pid[PIPELINE_STAGES];
	size_t n;
	int in, out;		/* our ends, -1: closed */
	const char *left;	/* of the input */
	size_t nleft;
	int64_t end_ns, kill_ns; /* CLOCK_BOOTTIME; kill_ns 0: nobody was asked to end */
	int rc;
};

char *
pipeline_program(const char *name)
{
	char self[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	self[n > 0 ? n : 0] = '\0';
	slash = strrchr(self, '/');
	return mem_fmt("%.*s/%s", slash != NULL ? (int)(slash - self) : 0, self, name);
}

char **
pipeline_env(const char *root, bool keys)
{
	char *here = pipeline_program(""), *path, **env;
	const char *ours = getenv("PATH");

	here[strlen(here) - 1] = '\0';
	path = mem_fmt(
	    "%s:%s", here, ours != NULL && *ours != '\0' ? ours : "/usr/local/bin:/usr/bin:/bin");
	env = env_make(root, path, keys ? ENV_KEYS : 0);
	free(path);
	free(here);
	return env;
}

/* --- how they run --- */

_Noreturn static void
become(char *const *argv, char *const *env, int in, int out, pid_t parent)
{
	static const int sigs[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent)
		_exit(VIV_TEMPFAIL);
	for (size_t i = 0; i < sizeof(sigs) / sizeof(sigs[0]); i++)
		signal(sigs[i], SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	dup2(in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	execve(argv[0], argv, env);
	err_warn("cannot run '%s': %s", argv[0], strerror(errno));
	_exit(errno == ENOENT ? VIV_NOTFOUND : VIV_NOEXEC);
}

/* Start all stages between the two pipes that remain ours. */
static int
start(struct flow *f, const struct pipeline *p, struct err *e)
{
	pid_t self = getpid();
	int prev, fd[2];

	if (pipe2(fd, O_CLOEXEC) != 0)
		return err_sys(e, VIV_IO, "cannot make a pipe");
	prev = fd[0];
	f->in = fd[1];
	for (; f->n < p->n; f->n++) {
		pid_t pid;

		if (pipe2(fd, O_CLOEXEC) != 0)
			break;
		pid = fork();
		if (pid == 0)
			become(p->argv[f->n], p->env[f->n], prev, fd[1], self);
		close(prev);
		close(fd[1]);
		prev = fd[0];
		if (pid < 0)
			break;
		f->pid[f->n] = pid;
	}
	f->out = prev;
	if (f->n < p->n)
		return err_sys(e, VIV_IO, "cannot start '%s'", p->argv[f->n][0]);
	fcntl(f->in, F_SETFL, O_NONBLOCK);
	return 0;
}

static void
end_all(struct flow *f, int sig)
{
	for (size_t i = 0; i < f->n; i++)
		kill(f->pid[i], sig);
	if (f->kill_ns == 0)
		f->kill_ns = clock_boot_ns() + GRACE_MS * INT64_C(1000000);
}

static void
feed(struct flow *f)
{
	ssize_t n = f->nleft > 0 ? write(f->in, f->left, f->nleft) : 0;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0) {
		f->left += n;
		f->nleft -= (size_t)n;
	}
	if (n < 0 || f->nleft == 0) {
		close(f->in);
		f->in = -1;
	}
}

static void
drain(struct flow *f, const struct pipeline *p, struct buf *out, struct err *e)
{
	ssize_t n;

	buf_reserve(out, CHUNK);
	n = read(f->out, out->p + out->len, CHUNK - 1);
	if (n < 0 && errno == EINTR)
		return;
	if (n <= 0) {
		close(f->out);
		f->out = -1;
		return;
	}
	out->len += (size_t)n;
	out->p[out->len] = '\0';
	if (out->len > p->max_output && f->kill_ns == 0) {
		f->rc = err_set(e, VIV_NO, "too much output of '%s'", p->argv[p->n - 1][0]);
		end_all(f, SIGTERM);
	}
	if (f->rc != 0)
		buf_clear(out);
}

/* Is it time to end them, or to make them? */
static void
watch(struct flow *f, struct err *e)
{
	int64_t now = clock_boot_ns();

	if (f->kill_ns != 0 && now >= f->kill_ns) {
		end_all(f, SIGKILL);
		close(f->out);
		f->out = -1;
	} else if (f->kill_ns == 0 && stop_asked()) {
		f->rc = err_set(e, VIV_TEMPFAIL, "interrupted");
		end_all(f, SIGTERM);
	} else if (f->kill_ns == 0 && now >= f->end_ns) {
		f->rc = err_set(e, VIV_TIMEOUT, "no answer in time");
		end_all(f, SIGTERM);
	}
}

static void
reap(const struct flow *f, struct pipeline *p)
{
	for (size_t i = 0; i < f->n; i++) {
		int status = 0;

		while (waitpid(f->pid[i], &status, 0) < 0 && errno == EINTR)
			;
		p->code[i] = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	}
}

int
pipeline_run(struct pipeline *p, const char *in, size_t n, struct buf *out, struct err *e)
{
	struct flow f = {.in = -1, .out = -1, .left = in, .nleft = n,
	    .end_ns = clock_boot_ns() + (int64_t)(p->limit_s * 1e9)};

	f.rc = start(&f, p, e);
	if (f.rc != 0)
		end_all(&f, SIGTERM);
	while (f.rc == 0 || f.out >= 0) {
		struct pollfd fds[2] = {{.fd = f.out, .events = POLLIN},
		    {.fd = f.in, .events = POLLOUT}};
		int64_t due = f.kill_ns != 0 ? f.kill_ns : f.end_ns;
		int64_t ms = (due - clock_boot_ns()) / 1000000 + 1;

		if (f.out < 0)
			break;
		stop_poll(fds, 2, ms < 0 ? 0 : ms < TICK_MS ? (int)ms : TICK_MS);
		if (fds[1].revents != 0)
			feed(&f);
		if (fds[0].revents != 0)
			drain(&f, p, out, e);
		watch(&f, e);
	}
	if (f.in >= 0)
		close(f.in);
	reap(&f, p);
	return f.rc;
}
