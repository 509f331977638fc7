/*
 * proc: run commands as children of this process, many at once, from one poll loop.
 * A command has its own process group, null stdin, captured stdout and stderr; when
 * it ends, is timed out or cancelled, its whole group is killed before it is reaped.
 * When this process dies, the command dies: PR_SET_PDEATHSIG for the child itself,
 * and proc_reaper_start for whatever it forked.
 */
#ifndef VIV_PROC_H
#define VIV_PROC_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "buf.h"
#include "err.h"
#include "file.h"
#include "sandbox.h"

struct proc_spec {
	const char *path;		/* absolute path of the program */
	char *const *argv;		/* argv[0] as the user wrote it */
	char *const *env;
	const char *cwd;		/* absolute; NULL: ours */
	const struct sandbox *box;	/* NULL: none */
	double timeout_s;		/* then SIGTERM, 1 s later SIGKILL; 0: none */
	int64_t deadline_boot_ns;	/* 0, or CLOCK_BOOTTIME after which it must neither start
					 * nor run (the lease): checked by the child itself after it
					 * has armed its own ITIMER_REAL, and kept by the reaper, so
					 * that a stopped parent cannot let it outlive the claim */
	size_t max_output; /* bytes kept of each stream; the rest is counted and hashed */
	size_t max_total; /* bytes of both streams after which it is killed, 0: 1 GiB */
	bool echo; /* pass output on to our own stdout and stderr as well (viv-sandbox) */
	bool keep_stdin;		/* it reads our standard input */
	int hold_fd;	/* 0, or the slot file whose flock lasts until the group is dead */
};

struct proc_stream {
	struct buf text;		/* at most max_output bytes, cut at a UTF-8 boundary */
	uint64_t bytes;			/* all that came */
	char sha256[FILE_SHA256];	/* of all that came; set when finished */
};

enum proc_why { PROC_EXITED, PROC_SIGNALED, PROC_TIMED_OUT, PROC_CANCELLED, PROC_TOO_MUCH_OUTPUT,
	PROC_NOT_STARTED };

struct proc {
	/* results, valid once proc_done() */
	enum proc_why why;
	int exit_code; /* the command's; with PROC_NOT_STARTED 127 (no such program),
					 * 126 (cannot run), 124 (deadline over), 77 (no sandbox) */
	int term_signal;		/* when a signal ended it, else 0 */
	bool lost;			/* echo: output that could not be passed on */
	char problem[160];		/* PROC_NOT_STARTED: which step failed and why */
	struct proc_stream out, err;
	double wall_s, user_s, sys_s;
	long max_rss_kb;

	/* private to proc.c */
	pid_t pid;
	int fds[3];			/* pidfd, stdout, stderr; -1: closed */
	int64_t started_ns, term_ns, kill_ns;	/* CLOCK_BOOTTIME, 0: never */
	int phase;
	void *hash[2];
	struct proc_spec spec;		/* path, argv, env are only used while starting */
};

/* Start; 0 or -VIV_IO (no descriptors or processes left; nothing runs). A program
 * that cannot be run is 0 and proc_done() at once, with PROC_NOT_STARTED. *p must
 * stay where it is until proc_free, which is due in either case. */
int proc_start(struct proc *p, const struct proc_spec *spec, struct err *e);

/* Poll loop: at most 3 entries a proc are filled in (returns how many), and the
 * loop's timeout (-1: none) is lowered to what is due next. */
enum { PROC_POLLFDS = 3 };
int proc_poll(struct proc *p, struct pollfd *fds, int *timeout_ms);

/* After poll(2), whatever it said: read, kill what is late, reap. */
void proc_step(struct proc *p);
bool proc_done(const struct proc *p);

/* Ask it to end: SIGTERM to the group, SIGKILL after grace_ms (0: at once). */
void proc_cancel(struct proc *p, long grace_ms);

/* Free; what still runs is killed and reaped first. */
void proc_free(struct proc *p);

/* Run one to its end (viv-sandbox, tests). */
int proc_run(struct proc *p, const struct proc_spec *spec, struct err *e);

/*
 * Fork the reaper: a child that learns each group that proc_start makes and kills
 * those still alive once this process is gone, however it went. Call once, early.
 */
int proc_reaper_start(struct err *e);

#endif
