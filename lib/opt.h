/* opt: what every command line has in common: -h, --version, -C, usage. */
#ifndef VIV_OPT_H
#define VIV_OPT_H

#include <getopt.h>

#include "err.h"

/* Call first in main: program name for messages, usage line (without "usage: "),
 * SIGPIPE default, stdio closed descriptors 0-2 opened on /dev/null, umask kept. */
void opt_init(int argc, char **argv, const char *usage);

/*
 * getopt_long with "h", "C:" and --help, --version, --world added: shorts and
 * longs name the command's own. -h and --version print on stdout and exit 0; an
 * unknown option or a missing argument exits with 2. -C is kept in opt_world.
 */
int opt_next(int argc, char **argv, const char *shorts, const struct option *longs);
extern const char *opt_world;	/* -C DIR or NULL */

/* Print a line of talk (when fmt is not NULL) and the usage on stderr, exit 2. */
_Noreturn void opt_usage(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Flush and check stdout: rc, or 74 with a message when output was lost. */
int opt_end(int rc);

#endif
