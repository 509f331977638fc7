/*
 * killat: end a command on entry of its Nth system call that changes a file, or make
 * a call fail: what a crash, a full disk or an interruption at that moment would do.
 *
 *	killat [-f] -c [-e ERRNO] CMD ...	run it, print how many such calls there are
 *	killat [-f] N CMD ...			SIGKILL on entry of call N
 *	killat [-f] -e ERRNO N CMD ...		call N is not made and fails with ERRNO
 *	killat -x SCRIPT N CMD ...		CMD stands still before call N while sh runs SCRIPT
 *
 * The command is traced with ptrace(2), and a seccomp filter stops it only at the
 * calls that matter, so that a run costs little more than the command alone. A kill
 * before a call that only reads is the same as a kill before the next one that writes,
 * so those are not counted; as failures, opening and reading count too. Calls are
 * those of the command itself after its execve; with -f those of its children count
 * as well, and the kill takes all of them. Without, its children live on.
 * A script shares no lock with the command, and must not wait for what it holds.
 * Exit status: the command's, 137 after the kill, 3 when it ended before call N.
 */
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "err.h"
#include "num.h"
#include "opt.h"

enum { KILLED = 137, TOO_FEW = 3, MAX_CHILDREN = 256 };

static const char *const changes[] = {"creat", "write", "pwrite64", "writev", "link", "linkat",
	"symlink", "symlinkat", "rename", "renameat", "renameat2", "unlink", "unlinkat", "mkdir",
	"mkdirat", "rmdir", "ftruncate", "truncate", "fsync", "fdatasync", "utimensat", "fchmod",
	"fchmodat", "fallocate", "copy_file_range", NULL};
static const char *const fallible[] = {"openat", "open", "creat", "read", "pread64", "write",
	"pwrite64", "writev", "link", "linkat", "rename", "renameat", "renameat2", "mkdir", "mkdirat",
	"ftruncate", "fsync", "fdatasync", "utimensat", "fchmod", NULL};

static const struct {
	const char *name;
	int number;
} errors[] = {{"ENOSPC", ENOSPC}, {"EIO", EIO}, {"EINTR", EINTR}, {"EMFILE", EMFILE},
	{"EROFS", EROFS}};

struct strike {
	long at;		/* call number, 0: only count */
	int error;		/* to fail with, 0: none */
	const char *script;	/* to run meanwhile, or NULL */
	bool forks;		/* children's calls count too */
};

static pid_t child[MAX_CHILDREN];
static int children;

static void
watch(scmp_filter_ctx filter, const char *name, unsigned int nargs, struct scmp_arg_cmp arg)
{
	int nr = seccomp_syscall_resolve_name(name);

	if (nr >= 0 && seccomp_rule_add_array(filter, SCMP_ACT_TRACE(1), nr, nargs, &arg) != 0)
		err_exit(VIV_IO, "cannot filter '%s'", name);
}

static void
start(char **argv, bool faults)
{
	const unsigned int writes[] = {O_WRONLY, O_RDWR, O_CREAT, O_TRUNC};
	const char *const *list = faults ? fallible : changes;
	struct scmp_arg_cmp none = {0};
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);

	if (filter == NULL)
		err_exit(VIV_IO, "cannot make a filter");
	for (; *list != NULL; list++)
		watch(filter, *list, 0, none);
	for (size_t i = 0; !faults && i < sizeof(writes) / sizeof(writes[0]); i++) {
		watch(filter, "openat", 1, SCMP_A2(SCMP_CMP_MASKED_EQ, writes[i], writes[i]));
		watch(filter, "open", 1, SCMP_A1(SCMP_CMP_MASKED_EQ, writes[i], writes[i]));
	}
	if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
		err_exit(VIV_IO, "cannot be traced: %s", strerror(errno));
	raise(SIGSTOP);
	if (seccomp_load(filter) != 0)
		err_exit(VIV_IO, "cannot load the filter");
	execvp(argv[0], argv);
	err_exit(VIV_NOTFOUND, "cannot run '%s': %s", argv[0], strerror(errno));
}

/* Replace the call by one that does not exist, with its result set beforehand. */
static void
fail_call(pid_t pid, int error)
{
#ifdef __x86_64__
	struct user_regs_struct regs;

	if (ptrace(PTRACE_GETREGS, pid, NULL, &regs) != 0)
		return;
	regs.orig_rax = (unsigned long long)-1;
	regs.rax = (unsigned long long)-error;
	ptrace(PTRACE_SETREGS, pid, NULL, &regs);
#else
	(void)pid;
	(void)error;
	err_exit(VIV_USAGE, "-e works on x86_64 only");
#endif
}

static void
kill_first(int n)
{
	for (int i = 0; i < n; i++)
		kill(child[i], SIGKILL);
}

static void
ended(pid_t pid, int status, int *rc)
{
	if (pid == child[0])
		*rc = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	for (int i = 1; i < children; i++)
		if (child[i] == pid)
			child[i] = child[--children];
}

/* A ptrace stop: the signal to pass on. */
static int
stopped(pid_t pid, int status)
{
	int event = status >> 16;
	unsigned long born;

	if (event == 0)
		return WSTOPSIG(status) == SIGSTOP ? 0 : WSTOPSIG(status);
	if ((event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_VFORK || event == PTRACE_EVENT_CLONE) &&
	    ptrace(PTRACE_GETEVENTMSG, pid, NULL, &born) == 0 && children < MAX_CHILDREN)
		child[children++] = (pid_t)born;
	return 0;
}

/* What others do while the command stands still; their status is their own affair. */
static void
meanwhile(const char *script)
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		err_exit(VIV_IO, "cannot fork: %s", strerror(errno));
	if (pid == 0) {
		execl("/bin/sh", "sh", "-c", script, (char *)NULL);
		_exit(VIV_NOTFOUND);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
}

static void
do_strike(const struct strike *s, pid_t pid)
{
	if (s->script != NULL)
		meanwhile(s->script);
	else if (s->error != 0)
		fail_call(pid, s->error);
	else
		kill_first(s->forks ? children : 1);
}

/* Follow the command and its children to their end; return the command's status. */
static int
follow(const struct strike *s, long *count)
{
	bool begun = false;
	int status, rc = 0;
	pid_t pid;

	while ((pid = waitpid(-1, &status, __WALL)) > 0 || errno == EINTR) {
		int sig;

		if (pid < 0)
			continue;
		if (!WIFSTOPPED(status)) {
			ended(pid, status, &rc);
			continue;
		}
		sig = stopped(pid, status);
		if (status >> 16 == PTRACE_EVENT_EXEC)
			begun = true;
		if (status >> 16 == PTRACE_EVENT_SECCOMP && begun && (s->forks || pid == child[0]) &&
		    ++*count == s->at)
			do_strike(s, pid);
		ptrace(PTRACE_CONT, pid, NULL, (void *)(long)sig);
	}
	return rc;
}

static int
run(char **argv, const struct strike *s, bool print)
{
	long options = PTRACE_O_TRACESECCOMP | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL |
	    PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE;
	long count = 0;
	int status, rc;
	pid_t pid = fork();

	if (pid < 0)
		err_exit(VIV_IO, "cannot fork: %s", strerror(errno));
	if (pid == 0)
		start(argv, s->error != 0);
	child[children++] = pid;
	if (waitpid(pid, &status, __WALL) != pid || !WIFSTOPPED(status))
		err_exit(VIV_IO, "the command did not start");
	if (ptrace(PTRACE_SETOPTIONS, pid, NULL, (void *)options) != 0)
		err_exit(VIV_IO, "cannot trace: %s", strerror(errno));
	ptrace(PTRACE_CONT, pid, NULL, NULL);
	rc = follow(s, &count);
	if (print)
		fprintf(stderr, "calls: %ld\n", count);
	return s->at > 0 && count < s->at ? TOO_FEW : rc;
}

static int
error_number(const char *name)
{
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (strcmp(name, errors[i].name) == 0)
			return errors[i].number;
	opt_usage("unknown error '%s'", name);
}

int
main(int argc, char **argv)
{
	struct strike s = {.at = 0};
	bool print = false;
	long long at = 0;
	int c;

	opt_init(argc, argv, "killat [-f] [-e ERRNO | -x SCRIPT] -c|N CMD ...");
	while ((c = getopt(argc, argv, "+cfe:x:")) != -1) {
		if (c == 'c')
			print = true;
		else if (c == 'f')
			s.forks = true;
		else if (c == 'e')
			s.error = error_number(optarg);
		else if (c == 'x')
			s.script = optarg;
		else
			opt_usage(NULL);
	}
	if (!print && (optind >= argc || !num_int(argv[optind++], 1, 1000000, &at)))
		opt_usage("a call number is missing");
	if (optind >= argc)
		opt_usage("a command is missing");
	s.at = (long)at;
	return run(argv + optind, &s, print);
}
