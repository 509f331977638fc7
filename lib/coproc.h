/*
 * coproc: another program that answers lines with lines, kept running beside a poll loop.
 * Nothing here blocks for it, whatever it does or does not do.
 */
#ifndef VIV_COPROC_H
#define VIV_COPROC_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <cjson/cJSON.h>

#include "buf.h"
#include "err.h"

enum {
	COPROC_POLLFDS = 3,
	COPROC_BAD_MAX = 20	/* bad lines in a row after which it is given up */
};

/* Set argv and env (borrowed, NULL-terminated; argv[0] is looked for in PATH), rest zero. */
struct coproc {
	char *const *argv, *const *env;
	uint64_t queued, written;	/* bytes handed to coproc_send; taken by the pipe */
	int exit_code;			/* of the one that died last, -1: a signal */
	bool killed;			/* it was coproc_kill that ended it */

	/* private to coproc.c */
	pid_t pid;			/* 0: none runs */
	int fds[3];			/* pidfd, its stdin, its stdout; -1: closed */
	struct buf out, in;		/* not yet written; read and not yet handed out */
	int bad, deaths;
	int64_t closed_ns;		/* CLOCK_BOOTTIME at which it closed a pipe, 0: none */
	int64_t start_ns;		/* CLOCK_BOOTTIME before which it is not started again */
	char why[200];			/* why it was given up, or "" */
};

/* Queue a line; it is started when needed. It has been taken when written >= the
 * returned position. */
uint64_t coproc_send(struct coproc *c, const cJSON *line);

/* Entries for poll(2), how many; the timeout (-1: none) is lowered to what is due. */
int coproc_poll(const struct coproc *c, struct pollfd *fds, int *timeout_ms);

/*
 * After poll(2): start it, write, read; each line that is an object goes to fn, which
 * takes it and may call coproc_bad. 0; 1 when it has died (*e says how; nothing of the
 * queue is left, written and queued are equal again after coproc_forget); -VIV_CONFIG
 * when it cannot be started; -VIV_IO when nothing can.
 */
typedef void coproc_fn(cJSON *line, void *arg);
int coproc_step(struct coproc *c, coproc_fn *fn, void *arg, struct err *e);

/* Drop what was not written: the caller has seen which lines those are. */
void coproc_forget(struct coproc *c);

/* Say what is wrong with what it wrote; too much of that ends it. coproc_good: it has
 * done what it is for. */
void coproc_bad(struct coproc *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void coproc_good(struct coproc *c);

/* End it and all that it started, now; the next step says that it has died. */
void coproc_kill(struct coproc *c);

/* No more lines: end of file, a moment to end by itself, then as coproc_kill. Frees. */
void coproc_close(struct coproc *c);

#endif
