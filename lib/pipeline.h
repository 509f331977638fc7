/*
 * pipeline: a few programs of ours in a row, input into the first, output out of the
 * last, without a shell. For one request and its answer; proc is for commands of others.
 */
#ifndef VIV_PIPELINE_H
#define VIV_PIPELINE_H

#include <stdbool.h>
#include <stddef.h>

#include "buf.h"
#include "err.h"

enum { PIPELINE_STAGES = 4 };

struct pipeline {
	char *const *argv[PIPELINE_STAGES];	/* [0] of each: path of the program */
	char *const *env[PIPELINE_STAGES];
	size_t n;
	double limit_s;			/* then all of them are ended */
	size_t max_output;		/* bytes */
	int code[PIPELINE_STAGES];	/* set: how each ended, 128+n by signal n */
};

/*
 * Run it and append what the last stage writes. They end with this process, and when it
 * is asked to end (stop_catch must have been called): -VIV_TEMPFAIL then, -VIV_TIMEOUT
 * over the limit, -VIV_NO over max_output, -VIV_IO when it cannot be started; 0 otherwise,
 * whatever the stages' codes.
 */
int pipeline_run(struct pipeline *p, const char *in, size_t n, struct buf *out, struct err *e);

/* Path of the command in the directory that this program was started from; the caller
 * frees. */
char *pipeline_program(const char *name);

/* The environment of such a command: env.h, with our own directory first in PATH; keys of
 * providers only when asked for. env_free frees. */
char **pipeline_env(const char *root, bool keys);

#endif
