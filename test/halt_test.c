/* halt_test: what halt.h says about a world. usage: halt_test DIR; one line:
 * halted|running REASON, paused|claiming, the pace or its error. */
#include <stdio.h>

#include "halt.h"

int
main(int argc, char **argv)
{
	char reason[256] = "";
	struct world w;
	struct err e = {0};
	double pace;

	if (argc != 2 || world_open(&w, argv[1], &e) != 0) {
		printf("cannot start: %s\n", e.msg);
		return 2;
	}
	printf("%s", halt_on(&w, reason, sizeof(reason)) ? "halted" : "running");
	if (halt_on(&w, NULL, 0) && *reason == '\0')
		printf(" without reason");
	printf(" <%s> %s ", reason, halt_paused(&w) ? "paused" : "claiming");
	pace = halt_pace(&w, &e);
	if (pace < 0)
		printf("%g %s\n", pace, e.msg);
	else
		printf("%g\n", pace);
	world_close(&w);
	return 0;
}
