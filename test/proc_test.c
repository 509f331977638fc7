/*
 * proc_test: what proc.h promises and no command line shows. TAP on stdout.
 * Run as "proc_test owner" it starts two groups, prints their pids and waits to be
 * killed or stopped (test/proc.bats).
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "proc.h"

#define SECOND_NS INT64_C(1000000000)

static int count, failed;

static void
ok(bool good, const char *what)
{
	printf("%sok %d - proc: %s\n", good ? "" : "not ", ++count, what);
	failed += !good;
}

static char *const env[] = {(char *)"PATH=/usr/bin:/bin", NULL};

/* Run "sh -c script" with the settings in s to its end. */
static void
shell(struct proc *p, struct proc_spec s, const char *script)
{
	char *argv[] = {(char *)"sh", (char *)"-c", (char *)script, NULL};
	struct err e = {0};

	s.path = "/bin/sh";
	s.argv = argv;
	s.env = env;
	if (proc_run(p, &s, &e) != 0)
		printf("# %s\n", e.msg);
}

static void
test_result(void)
{
	struct proc_spec s = {.cwd = "/usr", .timeout_s = 20, .max_output = 100};
	struct proc p;

	shell(&p, s, "pwd; echo oops >&2; exit 3");
	ok(p.why == PROC_EXITED && p.exit_code == 3 && p.term_signal == 0, "an exit status is kept");
	ok(strcmp(p.out.text.p, "/usr\n") == 0 && strcmp(p.err.text.p, "oops\n") == 0,
	    "both streams are kept apart, in the directory asked for");
	proc_free(&p);
	shell(&p, s, "kill -9 $$");
	ok(p.why == PROC_SIGNALED && p.term_signal == SIGKILL, "a signal is reported as one");
	proc_free(&p);
	shell(&p, s, "cat");
	ok(p.why == PROC_EXITED && p.out.bytes == 0, "standard input is empty");
	proc_free(&p);
	proc_free(&p);
	ok(p.out.text.p == NULL, "freeing twice is harmless");
}

static void
test_streams(void)
{
	struct proc_spec s = {.timeout_s = 20, .max_output = 4};
	struct proc p;

	/* "abc" and U+20AC (3 bytes) twice: 4 bytes would end inside a character */
	shell(&p, s, "printf 'abc\\342\\202\\254\\342\\202\\254'");
	ok(p.out.bytes == 9 && p.out.text.len == 3 && strcmp(p.out.text.p, "abc") == 0,
	    "kept text is cut at a character, the rest is counted");
	proc_free(&p);
	s.max_output = 6;
	shell(&p, s, "printf 'abc\\342\\202\\254\\342\\202\\254'");
	ok(p.out.text.len == 6, "a character that fits whole is kept");
	proc_free(&p);
	s.max_output = 3;
	shell(&p, s, "printf abc");
	/* the published digest of "abc", FIPS 180-2 appendix B.1 */
	ok(strcmp(p.out.sha256,
	    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad") == 0,
	    "the hash covers what came");
	/* and of nothing */
	ok(strcmp(p.err.sha256,
	    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855") == 0,
	    "an empty stream has the hash of nothing");
	proc_free(&p);
	/* a million times "a": FIPS 180-2 appendix B.3; 3 bytes kept */
	shell(&p, s, "head -c 1000000 /dev/zero | tr '\\0' a");
	ok(p.out.bytes == 1000000 && p.out.text.len == 3 && strcmp(p.out.sha256,
	    "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0") == 0,
	    "what is not kept is hashed all the same");
	proc_free(&p);
	s.max_total = 100000;
	shell(&p, s, "exec yes");
	ok(p.why == PROC_TOO_MUCH_OUTPUT && p.term_signal == SIGKILL, "endless output is ended");
	proc_free(&p);
}

static void
test_not_started(void)
{
	char *argv[] = {(char *)"x", NULL};
	struct proc_spec s = {.path = "/nonexistent", .argv = argv, .env = env, .timeout_s = 20};
	struct proc p;
	struct err e;

	ok(proc_start(&p, &s, &e) == 0 && proc_done(&p) && p.why == PROC_NOT_STARTED &&
	    p.exit_code == VIV_NOTFOUND, "a missing program is 127 at once");
	proc_free(&p);
	s.path = "/etc/passwd";
	ok(proc_start(&p, &s, &e) == 0 && p.why == PROC_NOT_STARTED && p.exit_code == VIV_NOEXEC,
	    "a file that is no program is 126");
	proc_free(&p);
	s.path = "/bin/true";
	s.cwd = "/nonexistent";
	ok(proc_start(&p, &s, &e) == 0 && p.why == PROC_NOT_STARTED && p.exit_code == VIV_NOEXEC &&
	    strncmp(p.problem, "working directory: ", 19) == 0, "a failed step is named");
	proc_free(&p);
	s.cwd = NULL;
	s.deadline_boot_ns = clock_boot_ns() - 1;
	ok(proc_start(&p, &s, &e) == 0 && p.why == PROC_NOT_STARTED && p.exit_code == VIV_TIMEOUT,
	    "after its deadline nothing starts");
	proc_free(&p);
}

static void
test_time(void)
{
	struct proc_spec s = {.timeout_s = 0.1, .max_output = 100};
	struct proc p;

	shell(&p, s, "exec sleep 1000");
	ok(p.why == PROC_TIMED_OUT && p.term_signal == SIGTERM, "time over: SIGTERM");
	proc_free(&p);
	shell(&p, s, "trap '' TERM; sleep 1000; sleep 1000");
	ok(p.why == PROC_TIMED_OUT && p.term_signal == SIGKILL, "and SIGKILL for who ignores it");
	proc_free(&p);
	s.timeout_s = 0;
	s.deadline_boot_ns = clock_boot_ns() + 2 * SECOND_NS;
	shell(&p, s, "trap '' TERM ALRM; sleep 1000; sleep 1000");
	ok(p.why == PROC_TIMED_OUT && p.term_signal == SIGKILL, "a deadline without a timeout kills");
	ok(clock_boot_ns() >= s.deadline_boot_ns, "and not before it");
	proc_free(&p);
}

/* Wait without helping: the owner does not step, so only the child's own timer or
 * the reaper can end it. */
static int
ends_alone(const char *script, int64_t in_ns, bool *late)
{
	char *argv[] = {(char *)"sh", (char *)"-c", (char *)script, NULL};
	struct proc_spec s = {.path = "/bin/sh", .argv = argv, .env = env, .max_output = 10,
		.deadline_boot_ns = clock_boot_ns() + in_ns};
	siginfo_t si = {0};
	struct proc p;
	struct err e;
	int sig;

	if (proc_start(&p, &s, &e) != 0)
		return -1;
	waitid(P_PID, (id_t)p.pid, &si, WEXITED | WNOWAIT);
	*late = clock_boot_ns() >= s.deadline_boot_ns;
	while (!proc_done(&p))
		proc_step(&p);
	sig = p.why == PROC_TIMED_OUT ? p.term_signal : -1;
	proc_free(&p);
	return sig;
}

static void
test_fuse(void)
{
	bool late = false;

	ok(ends_alone("exec sleep 1000", SECOND_NS / 5, &late) == SIGALRM && late,
	    "the child's own timer ends it at the deadline");
}

static void
test_reaper(void)
{
	struct err e;
	bool late = false;
	int sig;

	ok(proc_reaper_start(&e) == 0 && proc_reaper_start(&e) == 0, "the reaper starts, once");
	sig = ends_alone("trap '' ALRM; sleep 1000; sleep 1000", SECOND_NS, &late);
	ok(sig == SIGKILL && late, "the reaper ends who ignores the timer");
}

static void
test_many(void)
{
	enum { N = 20 };
	static struct proc p[N];
	struct pollfd fds[N * PROC_POLLFDS];
	char *argv[] = {(char *)"sh", (char *)"-c", (char *)"echo a; sleep 0.1; echo b", NULL};
	struct proc_spec s = {.path = "/bin/sh", .argv = argv, .env = env, .timeout_s = 30,
		.max_output = 100};
	struct err e;
	int left = N, good = 0;

	for (int i = 0; i < N; i++)
		if (proc_start(&p[i], &s, &e) != 0)
			printf("# %s\n", e.msg);
	while (left > 0) {
		int timeout = -1, n = 0;

		left = 0;
		for (int i = 0; i < N; i++)
			n += proc_poll(&p[i], fds + n, &timeout);
		if (poll(fds, (nfds_t)n, timeout) < 0 && errno != EINTR)
			break;
		for (int i = 0; i < N; i++) {
			proc_step(&p[i]);
			left += !proc_done(&p[i]);
		}
	}
	for (int i = 0; i < N; i++) {
		good += p[i].exit_code == 0 && strcmp(p[i].out.text.p, "a\nb\n") == 0;
		proc_free(&p[i]);
	}
	ok(good == N, "twenty at once from one loop");
}

static void
test_cancel(void)
{
	char *argv[] = {(char *)"sh", (char *)"-c", (char *)"sleep 1000 & sleep 1000; true", NULL};
	struct proc_spec s = {.path = "/bin/sh", .argv = argv, .env = env, .timeout_s = 100};
	struct proc p;
	struct err e;
	pid_t group;

	proc_start(&p, &s, &e);
	group = p.pid;
	proc_cancel(&p, 0);
	while (!proc_done(&p))
		proc_step(&p);
	ok(p.why == PROC_CANCELLED && p.term_signal == SIGKILL, "cancelled at once");
	proc_free(&p);
	for (int i = 0; i < 200 && kill(-group, 0) == 0; i++)
		clock_sleep_ms(10);
	ok(kill(-group, 0) != 0 && errno == ESRCH, "and nothing of its group is left");
	proc_start(&p, &s, &e);
	group = p.pid;
	proc_free(&p);
	ok(waitpid(group, NULL, WNOHANG) < 0 && errno == ECHILD, "freeing kills and reaps what runs");
}

static void
test_inheritance(void)
{
	int fd = open("/dev/null", O_RDONLY);	/* not close-on-exec */
	struct proc_spec s = {.timeout_s = 20, .max_output = 1000};
	struct proc p;

	signal(SIGINT, SIG_IGN);
	shell(&p, s, "ls /proc/self/fd | wc -l; kill -INT $$; echo alive");
	signal(SIGINT, SIG_DFL);
	ok(p.term_signal == SIGINT, "a signal that we ignore ends it");
	/* 0, 1, 2 and the descriptor of the directory being listed */
	ok(atoi(p.out.text.p) == 4, "no other descriptor is inherited");
	proc_free(&p);
	close(fd);
}

/* Two groups, one whose child ignores everything, for proc.bats to watch. */
static int
owner(void)
{
	char *argv[] = {(char *)"sh", (char *)"-c",
		(char *)"trap '' TERM HUP ALRM; sleep 1000 & echo $$ $! >&2; wait", NULL};
	struct proc_spec s = {.path = "/bin/sh", .argv = argv, .env = env, .echo = true,
		.deadline_boot_ns = clock_boot_ns() + 3 * SECOND_NS};
	struct proc p[2];
	struct pollfd fds[2 * PROC_POLLFDS];
	struct err e;

	if (proc_reaper_start(&e) != 0)
		err_die(&e);
	for (int i = 0; i < 2; i++)
		if (proc_start(&p[i], &s, &e) != 0)
			err_die(&e);
	while (!proc_done(&p[0]) || !proc_done(&p[1])) {
		int timeout = -1, n = proc_poll(&p[0], fds, &timeout);

		n += proc_poll(&p[1], fds + n, &timeout);
		poll(fds, (nfds_t)n, timeout);
		proc_step(&p[0]);
		proc_step(&p[1]);
	}
	return 0;
}

int
main(int argc, char **argv)
{
	if (argc == 2 && strcmp(argv[1], "owner") == 0)
		return owner();
	setvbuf(stdout, NULL, _IONBF, 0);
	test_result();
	test_streams();
	test_not_started();
	test_time();
	test_fuse();
	test_reaper();
	test_many();
	test_cancel();
	test_inheritance();
	printf("1..%d\n", count);
	return failed != 0;
}
