/*
 * proc: run commands as children of this process, many at once, from one poll loop.
 *
 * Start: vfork, since our memory may be large and a copy of its page tables is most
 * of what a fork costs. All signals are blocked meanwhile; the child uses only system
 * calls and reports a failed step through the memory that it shares with us. In order:
 *	own process group; dies with us; signals as after login; stdin, stdout, stderr;
 *	directory; ITIMER_REAL armed, and only then the clock compared with the deadline
 *	(whoever is stopped in between wakes up with the timer running); reaper told;
 *	sandbox; exec.
 * End: the leader's exit shows at its pidfd. While it is a zombie its number belongs to
 * it, so the group is killed now, the reaper told to forget it, and only then waited
 * for. Everybody who held the output pipes is dead, so reading goes on to end of file;
 * DRAIN_NS bounds that for commands without a sandbox, which can leave their group.
 *
 * Output over max_output is counted and hashed, never kept.
 */
#include "proc.h"

#include <errno.h>
#include <fcntl.h>
#include <sha2.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "reaper.h"
#include "utf8.h"

#define SECOND_NS	INT64_C(1000000000)
#define GRACE_NS	SECOND_NS		/* SIGTERM to SIGKILL */
#define FUSE_NS		(2 * SECOND_NS)		/* timeout to what ends it without us */
#define DRAIN_NS	(2 * SECOND_NS)
#define NOSAN		__attribute__((no_sanitize("address", "undefined")))

enum phase { IDLE, STARTING, RUNNING, DRAINING, DONE };
enum { CHUNK = 65536, CHUNKS_A_STEP = 16 };

/* What parent and child share while the parent waits for exec. */
struct start {
	const struct proc_spec *spec;
	pid_t parent;
	int out, err, null;	/* null -1: keep stdin */
	int64_t fuse_ns;	/* CLOCK_BOOTTIME at which it must be dead, 0: never */
	const char *volatile step;
	volatile int error;
};

NOSAN static int64_t
boot_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_BOOTTIME, &ts);
	return ts.tv_sec * SECOND_NS + ts.tv_nsec;
}

/* Nothing of ours is inherited: no handler, nothing ignored, nothing blocked. */
NOSAN static void
child_signals(void)
{
	struct sigaction sa;

	sa.sa_handler = SIG_DFL;
	sa.sa_flags = 0;
	sigemptyset(&sa.sa_mask);
	for (int sig = 1; sig < NSIG; sig++)
		if (sig != SIGKILL && sig != SIGSTOP)
			sigaction(sig, &sa, NULL);
	sigprocmask(SIG_SETMASK, &sa.sa_mask, NULL);
}

/* The fuse: a timer of its own, then the question whether it is already too late. */
NOSAN static bool
child_in_time(const struct start *s)
{
	struct itimerval t = {{0, 0}, {0, 0}};
	int64_t left;

	if (s->fuse_ns == 0)
		return true;
	left = s->fuse_ns - boot_ns();
	if (left <= 0)
		return false;
	t.it_value.tv_sec = left / SECOND_NS;
	t.it_value.tv_usec = left % SECOND_NS / 1000 + 1;
	setitimer(ITIMER_REAL, &t, NULL);
	return boot_ns() < s->fuse_ns;
}

NOSAN static bool
child_setup(struct start *s)
{
	const char *step = NULL;

	s->step = "process group";
	if (setpgid(0, 0) != 0 || prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0)
		return false;
	if (getppid() != s->parent)
		_exit(VIV_NOEXEC);
	child_signals();
	s->step = "standard streams";
	if ((s->null >= 0 && dup2(s->null, 0) < 0) || dup2(s->out, 1) < 0 || dup2(s->err, 2) < 0)
		return false;
	s->step = "working directory";
	if (s->spec->cwd != NULL && chdir(s->spec->cwd) != 0)
		return false;
	s->step = "deadline";
	errno = ETIME;
	if (!child_in_time(s))
		return false;
	s->step = "reaper";
	if (reaper_add(getpid(), s->fuse_ns, s->spec->hold_fd) != 0)
		return false;
	s->step = "sandbox";
	if (s->spec->box == NULL)
		return syscall(SYS_close_range, 3U, ~0U, 0U) == 0;
	errno = sandbox_enter(s->spec->box, -1, &step);
	if (errno != 0)
		s->step = step;
	return errno == 0;
}

NOSAN _Noreturn static void
child(struct start *s)
{
	if (child_setup(s)) {
		s->step = NULL;
		execve(s->spec->path, s->spec->argv, s->spec->env);
	}
	s->error = errno != 0 ? errno : EIO;
	_exit(VIV_NOEXEC);
}

static int
pipe_pair(int fd[2])
{
	if (pipe2(fd, O_CLOEXEC) != 0)
		return -1;
	return fcntl(fd[0], F_SETFL, O_NONBLOCK);
}

/* vfork with all signals held back; the pid, or -1 and errno. */
static pid_t
launch(struct start *s)
{
	sigset_t all, old;
	pid_t pid;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	pid = vfork();
	if (pid == 0)
		child(s);
	sigprocmask(SIG_SETMASK, &old, NULL);
	return pid;
}

/* The child ended before exec, or exec failed. */
static void
not_started(struct proc *p, const struct start *s)
{
	while (waitpid(p->pid, NULL, 0) < 0 && errno == EINTR)
		;
	reaper_del(p->pid);
	p->why = PROC_NOT_STARTED;
	if (s->step == NULL) {
		p->exit_code = s->error == ENOENT || s->error == ENOTDIR ? VIV_NOTFOUND :
									   VIV_NOEXEC;
		snprintf(p->problem, sizeof(p->problem), "%s", strerror(s->error));
	} else {
		p->exit_code = strcmp(s->step, "deadline") == 0 ? VIV_TIMEOUT :
		    strcmp(s->step, "reaper") == 0 ? VIV_IO :
		    strcmp(s->step, "working directory") == 0 ? VIV_NOEXEC : VIV_REFUSED;
		snprintf(p->problem, sizeof(p->problem), "%s: %s", s->step, strerror(s->error));
	}
}

static void
close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* Kept text ends at a character even when the limit fell inside one. */
static void
cut_text(struct proc_stream *s)
{
	size_t back = 0;
	uint32_t cp;

	if (s->bytes <= s->text.len)
		return;
	while (back < 3 && back < s->text.len && (s->text.p[s->text.len - 1 - back] & 0xc0) == 0x80)
		back++;
	if (back < s->text.len) {
		size_t lead = s->text.len - 1 - back;

		if (((unsigned char)s->text.p[lead] & 0xc0) == 0xc0 &&
		    utf8_decode(s->text.p + lead, back + 1, &cp) == 0)
			s->text.p[s->text.len = lead] = '\0';
	}
}

static void
finish(struct proc *p)
{
	struct proc_stream *stream[] = {&p->out, &p->err};

	for (int i = 0; i < 2; i++) {
		if (p->hash[i] != NULL)
			SHA256End(p->hash[i], stream[i]->sha256);
		free(p->hash[i]);
		p->hash[i] = NULL;
		cut_text(stream[i]);
	}
	for (int i = 0; i < 3; i++)
		close_fd(&p->fds[i]);
	p->phase = DONE;
}

static void
set_times(struct proc *p, struct start *s)
{
	const struct proc_spec *spec = &p->spec;
	int64_t grace;

	p->started_ns = clock_boot_ns();
	if (spec->timeout_s > 0 && spec->timeout_s < 1e9) {
		p->term_ns = p->started_ns + (int64_t)(spec->timeout_s * (double)SECOND_NS);
		p->kill_ns = p->term_ns + GRACE_NS;
		s->fuse_ns = p->term_ns + FUSE_NS;
	}
	if (spec->deadline_boot_ns != 0) {
		if (p->kill_ns == 0 || spec->deadline_boot_ns < p->kill_ns)
			p->kill_ns = spec->deadline_boot_ns;
		if (s->fuse_ns == 0 || spec->deadline_boot_ns < s->fuse_ns)
			s->fuse_ns = spec->deadline_boot_ns;
		/* a short lease is halved between asking and killing */
		grace = (p->kill_ns - p->started_ns) / 2;
		grace = grace < GRACE_NS ? grace : GRACE_NS;
		if (p->term_ns == 0 || p->term_ns > p->kill_ns - grace)
			p->term_ns = p->kill_ns - grace;
	}
}

int
proc_start(struct proc *p, const struct proc_spec *spec, struct err *e)
{
	struct start s = {.parent = getpid(), .null = -1};
	int out[2] = {-1, -1}, err[2] = {-1, -1}, rc = 0;

	*p = (struct proc){.spec = *spec, .fds = {-1, -1, -1}, .phase = STARTING};
	s.spec = &p->spec;
	set_times(p, &s);
	for (int i = 0; i < 2; i++)
		SHA256Init(p->hash[i] = mem_alloc(sizeof(SHA2_CTX)));
	if (pipe_pair(out) != 0 || pipe_pair(err) != 0 ||
	    (!spec->keep_stdin && (s.null = open("/dev/null", O_RDONLY | O_CLOEXEC)) < 0))
		rc = err_sys(e, VIV_IO, "cannot start '%s'", spec->path);
	s.out = out[1];
	s.err = err[1];
	p->fds[1] = out[0];
	p->fds[2] = err[0];
	if (rc == 0 && (p->pid = launch(&s)) < 0)
		rc = err_sys(e, VIV_IO, "cannot start '%s'", spec->path);
	close_fd(&out[1]);
	close_fd(&err[1]);
	close_fd(&s.null);
	if (rc == 0 && s.error != 0) {
		not_started(p, &s);
		finish(p);
		return 0;
	}
	if (rc == 0) {
		p->phase = RUNNING;
		p->fds[0] = (int)syscall(SYS_pidfd_open, p->pid, 0);
		if (p->fds[0] >= 0)
			return 0;
		rc = err_sys(e, VIV_IO, "cannot watch '%s'", spec->path);
	}
	proc_free(p);
	return rc;
}

int
proc_poll(struct proc *p, struct pollfd *fds, int *timeout_ms)
{
	int64_t due = p->term_ns != 0 ? p->term_ns : p->kill_ns, left;
	int n = 0;

	if (p->phase != RUNNING && p->phase != DRAINING)
		return 0;
	for (int i = 0; i < PROC_POLLFDS; i++)
		if (p->fds[i] >= 0)
			fds[n++] = (struct pollfd){.fd = p->fds[i], .events = POLLIN};
	if (due != 0) {
		left = (due - clock_boot_ns() + 999999) / 1000000;
		left = left < 0 ? 0 : left > 60000 ? 60000 : left;
		if (*timeout_ms < 0 || left < *timeout_ms)
			*timeout_ms = (int)left;
	}
	return n;
}

static void
take(struct proc *p, int i, const char *data, size_t n)
{
	struct proc_stream *s = i == 0 ? &p->out : &p->err;
	size_t room = p->spec.max_output > s->text.len ? p->spec.max_output - s->text.len : 0;

	if (s->bytes == s->text.len)
		buf_add(&s->text, data, n < room ? n : room);
	s->bytes += n;
	SHA256Update(p->hash[i], (const uint8_t *)data, n);
	if (p->spec.echo && file_write(i + 1, data, n, "output", NULL) != 0) {
		p->spec.echo = false;
		p->lost = true; /* it may have ended before, so that cancelling says nothing */
		proc_cancel(p, 0);
	}
}

static void
drain(struct proc *p, int i)
{
	static char chunk[CHUNK];

	for (int k = 0; k < CHUNKS_A_STEP && p->fds[i + 1] >= 0; k++) {
		ssize_t n = read(p->fds[i + 1], chunk, sizeof(chunk));

		if (n > 0)
			take(p, i, chunk, (size_t)n);
		else if (n == 0 || (errno != EAGAIN && errno != EINTR))
			close_fd(&p->fds[i + 1]);
		else
			return;
	}
}

/* Has the leader ended? It stays a zombie. */
static bool
leader_ended(const struct proc *p)
{
	siginfo_t si = {.si_pid = 0};

	return waitid(P_PID, (id_t)p->pid, &si, WEXITED | WNOWAIT | WNOHANG) != 0 || si.si_pid != 0;
}

static void
signal_group(struct proc *p, enum proc_why why, int sig)
{
	if (p->why == PROC_EXITED)
		p->why = why;
	kill(-p->pid, sig);
}

static void
reap(struct proc *p)
{
	int64_t now = clock_boot_ns();
	struct rusage ru;
	int status = 0;

	kill(-p->pid, SIGKILL);
	reaper_del(p->pid);
	memset(&ru, 0, sizeof(ru));
	while (wait4(p->pid, &status, 0, &ru) < 0 && errno == EINTR)
		;
	p->wall_s = (double)(now - p->started_ns) / 1e9;
	p->user_s = (double)ru.ru_utime.tv_sec + (double)ru.ru_utime.tv_usec / 1e6;
	p->sys_s = (double)ru.ru_stime.tv_sec + (double)ru.ru_stime.tv_usec / 1e6;
	p->max_rss_kb = ru.ru_maxrss;
	if (WIFSIGNALED(status)) {
		p->term_signal = WTERMSIG(status);
		/* the fuse or the reaper was faster than we */
		if (p->why == PROC_EXITED && p->kill_ns != 0 && now >= p->kill_ns)
			p->why = PROC_TIMED_OUT;
		if (p->why == PROC_EXITED)
			p->why = PROC_SIGNALED;
	} else {
		p->exit_code = WEXITSTATUS(status);
	}
	p->pid = 0;
	close_fd(&p->fds[0]);
	p->phase = DRAINING;
	p->term_ns = 0;
	p->kill_ns = clock_boot_ns() + DRAIN_NS;
}

void
proc_step(struct proc *p)
{
	uint64_t max_total = p->spec.max_total != 0 ? p->spec.max_total : UINT64_C(1) << 30;
	int64_t now;

	if (p->phase != RUNNING && p->phase != DRAINING)
		return;
	drain(p, 0);
	drain(p, 1);
	now = clock_boot_ns();
	if (p->phase == DRAINING) {
		if ((p->fds[1] < 0 && p->fds[2] < 0) || now >= p->kill_ns)
			finish(p);
		return;
	}
	if (leader_ended(p)) {
		reap(p);
		if (p->fds[1] < 0 && p->fds[2] < 0)
			finish(p);
		return;
	}
	if (p->out.bytes + p->err.bytes > max_total)
		signal_group(p, PROC_TOO_MUCH_OUTPUT, SIGKILL);
	if (p->kill_ns != 0 && now >= p->kill_ns) {
		signal_group(p, PROC_TIMED_OUT, SIGKILL);
		p->kill_ns = now + GRACE_NS;	/* again, should it be stuck in the kernel */
	} else if (p->term_ns != 0 && now >= p->term_ns) {
		signal_group(p, PROC_TIMED_OUT, SIGTERM);
		p->term_ns = 0;
	}
}

bool
proc_done(const struct proc *p)
{
	return p->phase == DONE;
}

void
proc_cancel(struct proc *p, long grace_ms)
{
	int64_t until = clock_boot_ns() + (int64_t)grace_ms * 1000000;

	if (p->phase != RUNNING || leader_ended(p))
		return;
	signal_group(p, PROC_CANCELLED, grace_ms > 0 ? SIGTERM : SIGKILL);
	p->term_ns = 0;
	if (p->kill_ns == 0 || until < p->kill_ns)
		p->kill_ns = until;
}

void
proc_free(struct proc *p)
{
	if (p->phase == RUNNING) {
		kill(-p->pid, SIGKILL);
		while (!leader_ended(p))
			waitid(P_PID, (id_t)p->pid, &(siginfo_t){0}, WEXITED | WNOWAIT);
		reap(p);
	}
	if (p->phase == IDLE)
		return;
	finish(p);
	buf_free(&p->out.text);
	buf_free(&p->err.text);
	p->phase = IDLE;
}

int
proc_run(struct proc *p, const struct proc_spec *spec, struct err *e)
{
	struct pollfd fds[PROC_POLLFDS];
	int rc = proc_start(p, spec, e);

	while (rc == 0 && !proc_done(p)) {
		int timeout = -1, n = proc_poll(p, fds, &timeout);

		if (poll(fds, (nfds_t)n, timeout) < 0 && errno != EINTR)
			rc = err_sys(e, VIV_IO, "cannot wait for '%s'", spec->path);
		proc_step(p);
	}
	return rc;
}

int
proc_reaper_start(struct err *e)
{
	return reaper_start(e);
}
