/*
 * storm: storm WORLD SECONDS [SEED]: kills, or stops for 2.6 s (one in five), a random
 * pipeline process of the world every few milliseconds. Only processes whose
 * environment has VIV_ROOT=WORLD are touched. Prints "kills N, stops N".
 */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "slurp.h"

enum { MAX = 4096, STOP_MS = 2600 };

struct stopped {
	int pid;
	long until_ms;
};

static long
now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int
is_stage(int pid, const char *want)
{
	static const char *const stage[] = {"viv-claim\n", "viv-log\n", "viv-guard\n", "viv-cycle\n",
	    "viv-review\n", "viv-release\n"};
	static char env[65536];
	char comm[64];
	size_t n;
	int known = 0;

	slurp(pid, "comm", comm, sizeof(comm));
	for (size_t i = 0; i < sizeof(stage) / sizeof(stage[0]); i++)
		known |= strcmp(comm, stage[i]) == 0;
	if (!known)
		return 0;
	n = slurp(pid, "environ", env, sizeof(env));
	for (size_t at = 0; at < n; at += strlen(env + at) + 1)
		if (strcmp(env + at, want) == 0)
			return 1;
	return 0;
}

static int
pick(const char *want)
{
	static int pids[MAX];
	DIR *d = opendir("/proc");
	struct dirent *de;
	int n = 0;

	while (d != NULL && n < MAX && (de = readdir(d)) != NULL)
		if (isdigit((unsigned char)de->d_name[0]) && is_stage(atoi(de->d_name), want))
			pids[n++] = atoi(de->d_name);
	closedir(d);
	return n > 0 ? pids[rand() % n] : 0;
}

int
main(int argc, char **argv)
{
	static struct stopped stopped[MAX];
	long end, kills = 0, stops = 0;
	size_t n = 0;
	char want[4200];

	if (argc < 3)
		return 2;
	snprintf(want, sizeof(want), "VIV_ROOT=%s", argv[1]);
	srand(argc > 3 ? (unsigned)atoi(argv[3]) : (unsigned)getpid());
	end = now_ms() + atol(argv[2]) * 1000;
	while (now_ms() < end || n > 0) {
		struct timespec pause = {0, (2 + rand() % 60) * 1000000L};
		int pid = now_ms() < end ? pick(want) : 0;

		for (size_t i = n; i-- > 0;)
			if (now_ms() >= stopped[i].until_ms) {
				kill(stopped[i].pid, SIGCONT);
				stopped[i] = stopped[--n];
			}
		if (pid != 0 && rand() % 5 == 0 && n < MAX && kill(pid, SIGSTOP) == 0) {
			stopped[n++] = (struct stopped){pid, now_ms() + STOP_MS};
			stops++;
		} else if (pid != 0 && kill(pid, SIGKILL) == 0) {
			kills++;
		}
		nanosleep(&pause, NULL);
	}
	printf("kills %ld, stops %ld\n", kills, stops);
	return 0;
}
