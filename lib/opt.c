/*
 * opt: what every command line has in common.
 *
 * The usage line is the whole help: `viv-claim -h` prints it on stdout, a mistake
 * prints it on stderr behind one line that says what was wrong.
 */
#include "opt.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *opt_world;
static const char *usage_line = "";

enum { OPT_VERSION = 0x1000 };

void
opt_init(int argc, char **argv, const char *usage)
{
	int fd;

	err_program(argc > 0 ? argv[0] : "viv");
	usage_line = usage;
	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= 2);
	if (fd > 2)
		close(fd);
	signal(SIGPIPE, SIG_DFL);
}

int
opt_next(int argc, char **argv, const char *shorts, const struct option *longs)
{
	static struct option all[48];
	static char letters[128];
	int c, n = 0;

	if (letters[0] == '\0') {
		snprintf(letters, sizeof(letters), "%s%sC:h",
		    shorts[0] == '+' || shorts[0] == '-' ? "" : ":", shorts);
		if (shorts[0] == '+')
			snprintf(letters, sizeof(letters), "+:%sC:h", shorts + 1);
		for (; longs != NULL && longs[n].name != NULL && n < 40; n++)
			all[n] = longs[n];
		all[n++] = (struct option){"help", no_argument, NULL, 'h'};
		all[n++] = (struct option){"version", no_argument, NULL, OPT_VERSION};
		all[n++] = (struct option){"world", required_argument, NULL, 'C'};
	}
	opterr = 0;
	for (;;) {
		c = getopt_long(argc, argv, letters, all, NULL);
		if (c == 'C') {
			opt_world = optarg;
			continue;
		}
		break;
	}
	if (c == 'h') {
		printf("usage: %s\n", usage_line);
		exit(opt_end(0));
	}
	if (c == OPT_VERSION) {
		printf("%s %s\n", err_program_name(), VIV_VERSION);
		exit(opt_end(0));
	}
	if (c == ':')
		opt_usage("option '%s' needs an argument", argv[optind - 1]);
	if (c == '?' && optopt != 0 && optopt < 0x1000)
		opt_usage("unknown option '-%c'", optopt);
	if (c == '?')
		opt_usage("unknown option '%s'", argv[optind - 1]);
	return c;
}

void
opt_usage(const char *fmt, ...)
{
	char line[512];
	va_list ap;

	if (fmt != NULL) {
		va_start(ap, fmt);
		vsnprintf(line, sizeof(line), fmt, ap);
		va_end(ap);
		err_warn("%s", line);
	}
	fprintf(stderr, "usage: %s\n", usage_line);
	exit(VIV_USAGE);
}

int
opt_end(int rc)
{
	if (fflush(stdout) != 0 || ferror(stdout)) {
		err_warn("cannot write output: %s", strerror(errno));
		return VIV_IO;
	}
	return rc;
}
