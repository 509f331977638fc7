/*
 * coproc: another program that answers lines with lines, kept running beside a poll loop.
 *
 * It is started when there is something to say, in a process group of its own: a ctrl-C
 * at the terminal is for us to act on. Its stdin and stdout are pipes whose ends on our
 * side do not block, with a queue before the one. When its leader ends, closes a pipe,
 * writes a line without end, or one bad line after the other, the whole group is killed,
 * what it had still written is read, and the caller is told that it has died. The next
 * one is started no earlier than START_NS later, doubled with each death in a row up to
 * START_MAX_NS; coproc_good ends the row.
 *
 * When we die, it sees the end of its input, and the reaper sends it SIGTERM and a moment
 * later SIGKILL.
 */
#include "coproc.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "json.h"
#include "jsonl.h"
#include "reaper.h"

#define START_NS	INT64_C(100000000)
#define START_MAX_NS	INT64_C(30000000000)
#define CLOSED_NS	INT64_C(500000000)

enum { CHUNK = 65536, CHUNKS_A_STEP = 16, CLOSE_MS = 2000, DEATHS_MAX = 16 };
enum { PIDFD, IN, OUT };

static void
close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* --- starting --- */

static int
spawn(struct coproc *c, int in, int out)
{
	posix_spawn_file_actions_t act;
	posix_spawnattr_t attr;
	sigset_t all, none;
	int rc;

	sigfillset(&all);
	sigemptyset(&none);
	posix_spawn_file_actions_init(&act);
	posix_spawn_file_actions_adddup2(&act, in, 0);
	posix_spawn_file_actions_adddup2(&act, out, 1);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setpgroup(&attr, 0);
	posix_spawnattr_setsigdefault(&attr, &all);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setflags(&attr,
	    POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
	/* Also what we were given by whoever started us. */
	syscall(SYS_close_range, 3U, ~0U, 4U /* CLOSE_RANGE_CLOEXEC */);
	rc = posix_spawnp(&c->pid, c->argv[0], &act, &attr, c->argv, c->env);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&act);
	return rc;
}

static int
start(struct coproc *c, struct err *e)
{
	int in[2] = {-1, -1}, out[2] = {-1, -1}, rc = 0;

	c->fds[PIDFD] = c->fds[IN] = c->fds[OUT] = -1;
	c->killed = false;
	c->bad = 0;
	c->closed_ns = 0;
	c->why[0] = '\0';
	if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0) {
		rc = err_sys(e, VIV_IO, "cannot start '%s'", c->argv[0]);
	} else if ((errno = spawn(c, in[0], out[1])) != 0) {
		c->pid = 0;
		rc = errno == EAGAIN || errno == ENOMEM || errno == EMFILE ? VIV_IO : VIV_CONFIG;
		rc = err_sys(e, rc, "cannot run '%s'", c->argv[0]);
	}
	close_fd(&in[0]);
	close_fd(&out[1]);
	if (rc != 0) {
		close_fd(&in[1]);
		close_fd(&out[0]);
		return rc;
	}
	c->fds[IN] = in[1];
	c->fds[OUT] = out[0];
	c->fds[PIDFD] = (int)syscall(SYS_pidfd_open, c->pid, 0);
	fcntl(in[1], F_SETFL, O_NONBLOCK);
	fcntl(out[0], F_SETFL, O_NONBLOCK);
	if (c->fds[PIDFD] < 0 || reaper_add_gently(c->pid) != 0) {
		rc = err_sys(e, VIV_IO, "cannot watch '%s'", c->argv[0]);
		coproc_close(c);
	}
	return rc;
}

/* --- ending --- */

static bool
leader_ended(const struct coproc *c)
{
	siginfo_t si = {.si_pid = 0};

	return waitid(P_PID, (id_t)c->pid, &si, WEXITED | WNOWAIT | WNOHANG) != 0 || si.si_pid != 0;
}

/* The group is dead or dying: wait for its leader. */
static void
reap(struct coproc *c)
{
	int status = 0;

	kill(-c->pid, SIGKILL);
	waitid(P_PID, (id_t)c->pid, &(siginfo_t){0}, WEXITED | WNOWAIT);
	reaper_del(c->pid);
	while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR)
		;
	c->exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	c->pid = 0;
	if (c->why[0] == '\0' && WIFSIGNALED(status))
		snprintf(c->why, sizeof(c->why), "ended by signal %d", WTERMSIG(status));
	else if (c->why[0] == '\0')
		snprintf(c->why, sizeof(c->why), "ended with status %d", WEXITSTATUS(status));
}

static void
bury(struct coproc *c)
{
	int64_t wait = START_NS << (c->deaths < DEATHS_MAX ? c->deaths : DEATHS_MAX);

	for (int i = 0; i < 3; i++)
		close_fd(&c->fds[i]);
	buf_clear(&c->in);
	c->deaths++;
	c->start_ns = clock_boot_ns() + (wait < START_MAX_NS ? wait : START_MAX_NS);
}

static void
give_up(struct coproc *c, const char *why)
{
	if (c->pid == 0)
		return;
	if (c->why[0] == '\0')
		snprintf(c->why, sizeof(c->why), "%s", why);
	kill(-c->pid, SIGKILL);
}

/* A pipe that it has closed: who is about to end closes them all a moment before. */
static void
closed(struct coproc *c, int i)
{
	close_fd(&c->fds[i]);
	if (c->closed_ns == 0)
		c->closed_ns = clock_boot_ns();
}

void
coproc_kill(struct coproc *c)
{
	if (c->pid == 0)
		return;
	c->killed = true;
	give_up(c, "had to be killed");
}

void
coproc_close(struct coproc *c)
{
	if (c->pid != 0) {
		struct pollfd p = {.fd = c->fds[PIDFD], .events = POLLIN};

		close_fd(&c->fds[IN]);
		close_fd(&c->fds[OUT]);
		if (p.fd >= 0)
			poll(&p, 1, CLOSE_MS);
		reap(c);
		bury(c);
	}
	buf_free(&c->out);
	buf_free(&c->in);
}

/* --- talking --- */

uint64_t
coproc_send(struct coproc *c, const cJSON *line)
{
	size_t before = c->out.len;

	json_print(&c->out, line);
	buf_char(&c->out, '\n');
	return c->queued += c->out.len - before;
}

void
coproc_forget(struct coproc *c)
{
	buf_clear(&c->out);
	c->written = c->queued;
}

static void
write_some(struct coproc *c)
{
	ssize_t n = 1;
	size_t done = 0;

	while (c->fds[IN] >= 0 && done < c->out.len && n > 0) {
		n = write(c->fds[IN], c->out.p + done, c->out.len - done);
		done += n > 0 ? (size_t)n : 0;
	}
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		closed(c, IN);
	if (done > 0)
		buf_drop(&c->out, done);
	c->written += done;
}

void
coproc_bad(struct coproc *c, const char *fmt, ...)
{
	char text[300];
	va_list ap;

	if (c->bad++ >= COPROC_BAD_MAX)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	err_warn("'%s' %s", c->argv[0], text);
	if (c->bad == COPROC_BAD_MAX && c->pid != 0)
		give_up(c, "does not answer in task lines");
}

void
coproc_good(struct coproc *c)
{
	c->bad = 0;
	c->deaths = 0;
}

static void
take_line(struct coproc *c, const char *s, size_t n, coproc_fn *fn, void *arg)
{
	struct err e;
	cJSON *line;

	if (strspn(s, " \t\r") >= n)
		return;
	line = json_parse(s, n, &e);
	if (line != NULL && cJSON_IsObject(line)) {
		fn(line, arg);
		return;
	}
	coproc_bad(c, "wrote a line that is no JSON object%s%s", line == NULL ? ": " : "",
	    line == NULL ? e.msg : "");
	cJSON_Delete(line);
}

/* Hand out whole lines; what is left is the beginning of one. */
static void
take_lines(struct coproc *c, coproc_fn *fn, void *arg)
{
	size_t at = 0;
	char *nl;

	while (c->bad < COPROC_BAD_MAX && at < c->in.len &&
	    (nl = memchr(c->in.p + at, '\n', c->in.len - at)) != NULL) {
		size_t n = (size_t)(nl - c->in.p) - at;

		*nl = '\0';
		take_line(c, c->in.p + at, n, fn, arg);
		at += n + 1;
	}
	if (c->bad >= COPROC_BAD_MAX)
		at = c->in.len;
	buf_drop(&c->in, at);
	if (c->in.len > JSONL_MAX) {
		buf_clear(&c->in);
		give_up(c, "wrote a line longer than 4 MiB");
	}
}

static void
read_some(struct coproc *c, coproc_fn *fn, void *arg)
{
	for (int i = 0; i < CHUNKS_A_STEP && c->fds[OUT] >= 0; i++) {
		ssize_t n;

		buf_reserve(&c->in, CHUNK);
		n = read(c->fds[OUT], c->in.p + c->in.len, CHUNK);
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n <= 0) {
			closed(c, OUT);
			return;
		}
		c->in.len += (size_t)n;
		c->in.p[c->in.len] = '\0';
		take_lines(c, fn, arg);
	}
}

int
coproc_poll(const struct coproc *c, struct pollfd *fds, int *timeout_ms)
{
	int64_t ms;

	if (c->pid == 0) {
		ms = (c->start_ns - clock_boot_ns()) / 1000000 + 1;
		ms = ms < 0 ? 0 : ms;
		if (c->out.len > 0 && (*timeout_ms < 0 || ms < *timeout_ms))
			*timeout_ms = (int)ms;
		return 0;
	}
	if (c->closed_ns != 0 && (*timeout_ms < 0 || *timeout_ms > CLOSED_NS / 1000000))
		*timeout_ms = CLOSED_NS / 1000000;
	fds[0] = (struct pollfd){.fd = c->fds[PIDFD], .events = POLLIN};
	fds[1] = (struct pollfd){.fd = c->out.len > 0 ? c->fds[IN] : -1, .events = POLLOUT};
	fds[2] = (struct pollfd){.fd = c->fds[OUT], .events = POLLIN};
	return COPROC_POLLFDS;
}

int
coproc_step(struct coproc *c, coproc_fn *fn, void *arg, struct err *e)
{
	int rc;

	if (c->pid == 0 && (c->out.len == 0 || clock_boot_ns() < c->start_ns))
		return 0;
	if (c->pid == 0 && (rc = start(c, e)) != 0)
		return rc;
	write_some(c);
	read_some(c, fn, arg);
	if (!leader_ended(c)) {
		if (c->closed_ns != 0 && clock_boot_ns() - c->closed_ns > CLOSED_NS)
			give_up(c, c->fds[OUT] < 0 ? "has closed its output" :
						     "does not read its input");
		if (c->why[0] == '\0')
			return 0;
	}
	reap(c);
	/* What it wrote before it died counts; a pipe holds no more than this. */
	read_some(c, fn, arg);
	bury(c);
	err_set(e, VIV_UNAVAILABLE, "'%s' %s", c->argv[0], c->why);
	return 1;
}
