/*
 * overlap: an oracle that knows nothing of Vivarium: overlap SECONDS DONE-FILE PREFIX.
 *
 * Scans /proc for `sleep TIME TOKEN` processes, where TOKEN stands for a task and begins with PREFIX, until
 * the file exists or the seconds are over, and reports two that live at the same
 * moment with the same token: the first is seen, then the second, then the first
 * again with the same start time. Prints "scans N, seen N, overlaps N"; exits 1 when
 * there was one.
 */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "slurp.h"

enum { MAX = 4096, TOKEN = 64 };

struct seen {
	int pid;
	char token[TOKEN];
};

/* The token of a `sleep TIME TOKEN` process. */
static int
token_of(int pid, const char *prefix, char token[TOKEN])
{
	char cmd[256];
	size_t n = slurp(pid, "cmdline", cmd, sizeof(cmd)), at;

	if (n < 8 || strcmp(cmd, "sleep") != 0)
		return 0;
	at = 6 + strlen(cmd + 6) + 1;
	if (at >= n)
		return 0;
	snprintf(token, TOKEN, "%.60s", cmd + at);
	return strncmp(token, prefix, strlen(prefix)) == 0;
}

/* Start time of a process that is not a zombie. */
static unsigned long long
start_of(int pid)
{
	char text[512], state = 'Z';
	unsigned long long start = 0;
	char *p;

	if (slurp(pid, "stat", text, sizeof(text)) == 0 || (p = strrchr(text, ')')) == NULL ||
	    sscanf(p + 1, " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
	    &state, &start) != 2 || state == 'Z' || state == 'X')
		return 0;
	return start;
}

int
main(int argc, char **argv)
{
	static struct seen seen[MAX];
	unsigned long scans = 0, total = 0, overlaps = 0;
	time_t end;

	if (argc != 4)
		return 2;
	for (end = time(NULL) + atol(argv[1]); time(NULL) < end && access(argv[2], F_OK) != 0; scans++) {
		DIR *d = opendir("/proc");
		struct dirent *de;
		size_t n = 0;

		while (d != NULL && (de = readdir(d)) != NULL) {
			int pid = isdigit((unsigned char)de->d_name[0]) ? atoi(de->d_name) : 0;

			if (pid == 0 || n == MAX || !token_of(pid, argv[3], seen[n].token))
				continue;
			seen[n].pid = pid;
			total++;
			for (size_t i = 0; i < n; i++) {
				char again[TOKEN];
				unsigned long long a = start_of(seen[i].pid), b = start_of(pid);

				if (strcmp(seen[i].token, seen[n].token) != 0 || a == 0 || b == 0 ||
				    start_of(seen[i].pid) != a || start_of(pid) != b ||
				    !token_of(seen[i].pid, argv[3], again) || strcmp(again, seen[i].token) != 0)
					continue;
				printf("overlap: %s in %d and %d\n", seen[n].token, seen[i].pid, pid);
				overlaps++;
			}
			n++;
		}
		closedir(d);
	}
	printf("scans %lu, seen %lu, overlaps %lu\n", scans, total, overlaps);
	return overlaps > 0;
}
