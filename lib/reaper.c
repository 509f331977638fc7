/*
 * reaper: a child that outlives this process by a moment, to kill what it leaves.
 *
 * PR_SET_PDEATHSIG reaches the command itself but nothing that it forked, and a
 * stopped process enforces no time limit. So one small child, in a session of its
 * own where no terminal or group signal finds it, is told of every process group:
 *
 *	{pgid, deadline}	add, sent by the new leader itself before it execs
 *	{pgid, -1}		drop, sent after it ended and before it is reaped
 *
 * over a socket pair that keeps messages whole. End of file means that we are gone,
 * by whatever signal: it kills every group it still knows and ends. The socket is
 * close-on-exec, and a leader that is not yet past exec holds a copy of it: end of
 * file cannot come before that leader has been announced.
 */
#include "reaper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "buf.h"
#include "clock.h"

struct note {
	int64_t pgid;
	int64_t deadline;	/* CLOCK_BOOTTIME ns, 0: none, -1: drop the group */
};

struct groups {
	struct note *at;
	size_t n, cap;
};

static int link_fd = -1;

static void
groups_note(struct groups *g, struct note m)
{
	size_t i;

	for (i = 0; i < g->n && g->at[i].pgid != m.pgid; i++)
		;
	if (m.deadline < 0) {
		if (i < g->n)
			g->at[i] = g->at[--g->n];
		return;
	}
	if (i == g->cap) {
		g->cap = g->cap * 2 + 16;
		g->at = mem_grow(g->at, g->cap, sizeof(*g->at));
	}
	g->at[i] = m;
	if (i == g->n)
		g->n++;
}

/* Kill the groups that are due (all: every one); returns the next deadline or 0. */
static int64_t
groups_kill(struct groups *g, bool all)
{
	int64_t now = clock_boot_ns(), next = 0;

	for (size_t i = 0; i < g->n; i++) {
		struct note *m = &g->at[i];

		if (all || (m->deadline != 0 && m->deadline <= now)) {
			kill((pid_t)-m->pgid, SIGKILL);
			m->deadline = 0;
		} else if (m->deadline != 0 && (next == 0 || m->deadline < next)) {
			next = m->deadline;
		}
	}
	return next;
}

_Noreturn static void
reap(int fd)
{
	struct groups g = {0};
	struct pollfd p[2] = {{.fd = fd, .events = POLLIN}, {.events = POLLIN}};
	struct note m;
	ssize_t n;

	p[1].fd = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	for (;;) {
		int64_t next = groups_kill(&g, false);
		struct itimerspec t = {.it_value = {next / 1000000000, next % 1000000000}};

		timerfd_settime(p[1].fd, TFD_TIMER_ABSTIME, &t, NULL);
		if (poll(p, 2, -1) < 0 && errno != EINTR)
			break;
		while ((n = recv(fd, &m, sizeof(m), MSG_DONTWAIT)) == (ssize_t)sizeof(m))
			groups_note(&g, m);
		if (n >= 0 || (errno != EAGAIN && errno != EINTR))
			break;
	}
	groups_kill(&g, true);
	_exit(0);
}

/* Away from everything that the parent has open or that may end it. */
static int
hide(int fd)
{
	static const int ignored[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE, SIGUSR1, SIGUSR2,
		SIGALRM, SIGTSTP, SIGTTIN, SIGTTOU};
	int null = open("/dev/null", O_RDWR);

	for (size_t i = 0; i < sizeof(ignored) / sizeof(ignored[0]); i++)
		signal(ignored[i], SIG_IGN);
	setsid();
	if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0 ||
	    chdir("/") != 0)
		_exit(1);
	fd = dup3(fd, 3, O_CLOEXEC) < 0 && fd != 3 ? -1 : 3;
	syscall(SYS_close_range, 4U, ~0U, 0U);
	prctl(PR_SET_NAME, "viv-reaper", 0, 0, 0);
	return fd;
}

int
reaper_start(struct err *e)
{
	int pair[2];
	pid_t pid;

	if (link_fd >= 0)
		return 0;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		return err_sys(e, VIV_IO, "cannot start the reaper");
	pid = fork();
	if (pid < 0) {
		err_sys(e, VIV_IO, "cannot start the reaper");
		close(pair[0]);
		close(pair[1]);
		return -VIV_IO;
	}
	if (pid == 0)
		reap(hide(pair[1]));
	close(pair[1]);
	link_fd = pair[0];
	return 0;
}

__attribute__((no_sanitize("address", "undefined"))) static int
tell(pid_t pgid, int64_t deadline)
{
	struct note m = {pgid, deadline};

	if (link_fd < 0)
		return 0;
	while (send(link_fd, &m, sizeof(m), MSG_NOSIGNAL) < 0)
		if (errno != EINTR)
			return -1;
	return 0;
}

__attribute__((no_sanitize("address", "undefined"))) int
reaper_add(pid_t pgid, int64_t deadline_boot_ns)
{
	return tell(pgid, deadline_boot_ns);
}

void
reaper_del(pid_t pgid)
{
	tell(pgid, -1);
}
