/* chain_test: what chain_verify says of a world. usage: chain_test DIR; one line:
 * ok|SEGMENT:LINE: WHAT, lines, unchained, segments, torn segment. */
#include <stdio.h>

#include "chain.h"

int
main(int argc, char **argv)
{
	struct chain_report r;
	struct world w;
	struct err e = {0};

	if (argc != 2 || world_open(&w, argv[1], &e) != 0 || chain_verify(&w, &r, &e) != 0) {
		printf("cannot verify: %s\n", e.msg);
		return 2;
	}
	if (r.ok)
		printf("ok");
	else
		printf("%s:%lu: %s", r.segment, r.line, r.what);
	printf(" lines %lu unchained %lu segments %lu torn <%s>\n", r.lines, r.unchained,
	    r.segments, r.torn);
	world_close(&w);
	return r.ok ? 0 : 1;
}
