/*
 * reaper: a child that outlives this process by a moment, to kill what it leaves.
 *
 * PR_SET_PDEATHSIG reaches the command itself but nothing that it forked, and a
 * stopped process enforces no time limit. So one small child, in a session of its
 * own where no terminal or group signal finds it, is told of every process group:
 *
 *	{pgid, deadline, ...}	add, sent by the new leader itself before it execs
 *	{pgid, -1}		drop, sent after it ended and before it is reaped
 *	{-fd, 0}, {-fd, -1}	keep a descriptor, drop it (reaper_hold)
 *
 * over a socket pair that keeps messages whole. End of file means that we are gone,
 * by whatever signal: it kills every group it still knows and ends. The socket is
 * close-on-exec, and a leader that is not yet past exec holds a copy of it: end of
 * file cannot come before that leader has been announced.
 *
 * Who executes a task holds a shared flock on its slot, and the kernel would drop it the
 * moment we are killed, while the command still has instructions to run: an observer
 * could take the task over and run it beside the old command. So the message that adds a
 * group carries a descriptor of the slot file. It is a duplicate of one open file
 * description, so the flock lasts until ours and the reaper's are both closed, and the
 * reaper closes its own only when no process of the group is alive, or it was told that
 * the group has ended. That the message is on its way is enough: it holds a reference
 * itself. Nothing hangs on it for ever: a flock delays a takeover until the lease and the
 * timeout are over, no longer, and what SIGKILL does not end within LINGER_NS (a task
 * that is stuck in the kernel runs no instruction either) is given up.
 */
#include "reaper.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "buf.h"
#include "clock.h"

#define LINGER_NS	INT64_C(10000000000)

struct note {
	int64_t pgid;		/* or a descriptor's number, negative */
	int64_t deadline;	/* CLOCK_BOOTTIME ns, 0: none, -1: drop the group */
	int64_t grace_ns;	/* from SIGTERM to SIGKILL, 0: SIGKILL at once */
};

struct group {
	struct note note;
	int fd;			/* keeps the flock; -1: none */
};

struct groups {
	struct group *at;
	size_t n, cap;
};

/* A message with room for one descriptor. */
union control {
	struct cmsghdr head;
	char room[CMSG_SPACE(sizeof(int))];
};

static int link_fd = -1;

static void
groups_drop(struct groups *g, size_t i)
{
	if (g->at[i].fd >= 0)
		close(g->at[i].fd);
	g->at[i] = g->at[--g->n];
}

static void
groups_note(struct groups *g, struct note m, int fd)
{
	size_t i;

	for (i = 0; i < g->n && g->at[i].note.pgid != m.pgid; i++)
		;
	if (i < g->n)
		groups_drop(g, i);
	if (m.deadline < 0) {
		if (fd >= 0)
			close(fd);
		return;
	}
	if (g->n == g->cap) {
		g->cap = g->cap * 2 + 16;
		g->at = mem_grow(g->at, g->cap, sizeof(*g->at));
	}
	g->at[g->n++] = (struct group){m, fd};
}

/* Kill the groups that are due; returns the next deadline or 0. */
static int64_t
groups_kill(struct groups *g)
{
	int64_t now = clock_boot_ns(), next = 0;

	for (size_t i = 0; i < g->n; i++) {
		struct note *m = &g->at[i].note;

		if (m->deadline != 0 && m->deadline <= now) {
			kill((pid_t)-m->pgid, SIGKILL);
			m->deadline = 0;
		} else if (m->deadline != 0 && (next == 0 || m->deadline < next)) {
			next = m->deadline;
		}
	}
	return next;
}

/* Process group of a process that still runs instructions; 0: gone, or a zombie. */
static long
group_of(const char *pid)
{
	char path[64], stat[512], *p, state;
	int fd = snprintf(path, sizeof(path), "/proc/%.20s/stat", pid) > 0 ?
	    open(path, O_RDONLY | O_CLOEXEC) : -1;
	ssize_t n = fd >= 0 ? read(fd, stat, sizeof(stat) - 1) : -1;
	long pgrp = 0;

	if (fd >= 0)
		close(fd);
	stat[n > 0 ? n : 0] = '\0';
	p = strrchr(stat, ')');
	if (p == NULL || sscanf(p + 1, " %c %*d %ld", &state, &pgrp) != 2 || state == 'Z' ||
	    state == 'X')
		return 0;
	return pgrp;
}

/* Is anybody of the group alive? Zombies count for kill(2), not for us: where nobody
 * reaps orphans they stay for ever. */
static bool
alive(int64_t pgid)
{
	const struct dirent *de;
	bool found = false;
	DIR *d;

	if (kill((pid_t)-pgid, 0) != 0 && errno == ESRCH)
		return false;
	d = opendir("/proc");
	if (d == NULL)
		return true;
	while (!found && (de = readdir(d)) != NULL)
		found = de->d_name[0] >= '1' && de->d_name[0] <= '9' &&
		    group_of(de->d_name) == pgid;
	closedir(d);
	return found;
}

/* We are alone: end all groups, and keep the flock of each until it has ended. */
static void
groups_end(struct groups *g)
{
	int64_t start = clock_boot_ns(), now = start;

	for (size_t i = 0; i < g->n; i++)
		kill((pid_t)-g->at[i].note.pgid, g->at[i].note.grace_ns > 0 ? SIGTERM : SIGKILL);
	while (g->n > 0 && now - start < LINGER_NS) {
		for (size_t i = g->n; i-- > 0;) {
			struct note *m = &g->at[i].note;

			if (!alive(m->pgid)) {
				groups_drop(g, i);
			} else if (m->grace_ns > 0 && now - start >= m->grace_ns) {
				kill((pid_t)-m->pgid, SIGKILL);
				m->grace_ns = 0;
			}
		}
		if (g->n > 0)
			clock_sleep_ms(2);
		now = clock_boot_ns();
	}
}

/* One message: 1, 0 at end of file, -1 when there is none now. */
static int
hear(int sock, struct groups *g, struct groups *held)
{
	struct note m;
	union control c;
	struct iovec iov = {&m, sizeof(m)};
	struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &c,
	    .msg_controllen = sizeof(c)};
	const struct cmsghdr *head;
	ssize_t n = recvmsg(sock, &h, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	int fd = -1;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return -1;
	if (n != (ssize_t)sizeof(m))
		return 0;
	head = CMSG_FIRSTHDR(&h);
	if (head != NULL && head->cmsg_type == SCM_RIGHTS)
		memcpy(&fd, CMSG_DATA(head), sizeof(fd));
	groups_note(m.pgid < 0 ? held : g, m, fd);
	return 1;
}

_Noreturn static void
reap(int fd)
{
	struct groups g = {0}, held = {0};
	struct pollfd p[2] = {{.fd = fd, .events = POLLIN}, {.events = POLLIN}};
	int rc;

	p[1].fd = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
	do {
		int64_t next = groups_kill(&g);
		struct itimerspec t = {.it_value = {next / 1000000000, next % 1000000000}};

		timerfd_settime(p[1].fd, TFD_TIMER_ABSTIME, &t, NULL);
		if (poll(p, 2, -1) < 0 && errno != EINTR)
			break;
		while ((rc = hear(fd, &g, &held)) > 0)
			;
	} while (rc < 0);
	groups_end(&g);
	_exit(0);		/* which lets go of what is held */
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

#define NOSAN __attribute__((no_sanitize("address", "undefined")))

NOSAN static int
tell(struct note m, int fd)
{
	union control c;
	struct iovec iov = {&m, sizeof(m)};
	struct msghdr h = {.msg_iov = &iov, .msg_iovlen = 1};

	if (link_fd < 0)
		return 0;
	if (fd > 0) {
		c.head.cmsg_level = SOL_SOCKET;
		c.head.cmsg_type = SCM_RIGHTS;
		c.head.cmsg_len = CMSG_LEN(sizeof(int));
		*(int *)(void *)CMSG_DATA(&c.head) = fd;
		h.msg_control = &c;
		h.msg_controllen = sizeof(c);
	}
	while (sendmsg(link_fd, &h, MSG_NOSIGNAL) < 0)
		if (errno != EINTR)
			return -1;
	return 0;
}

NOSAN int
reaper_add(pid_t pgid, int64_t deadline_boot_ns, int hold_fd)
{
	return tell((struct note){pgid, deadline_boot_ns, 0}, hold_fd);
}

int
reaper_add_gently(pid_t pgid)
{
	return tell((struct note){pgid, 0, REAPER_GRACE_MS * INT64_C(1000000)}, 0);
}

void
reaper_del(pid_t pgid)
{
	tell((struct note){pgid, -1, 0}, 0);
}

void
reaper_hold(int fd)
{
	if (fd >= 0)
		tell((struct note){-(int64_t)fd, 0, 0}, fd);
}

void
reaper_let_go(int fd)
{
	if (fd >= 0)
		tell((struct note){-(int64_t)fd, -1, 0}, 0);
}
