/*
 * ledger: the calls of lib/budget.h, for tests.
 *	ledger reserve [-t TASK] [-r RESIDENT] [-i IDENTITY] [-p PROVIDER] [-x TASK_MAX] WORST
 *	ledger settle ID COST [INPUT OUTPUT]	(COST "unpriced": -1)
 *	ledger refund|forfeit ID
 *	ledger pause PROVIDER SECONDS
 *	ledger loop N WORST COST	reserve and settle N times; prints how often it could
 *	ledger hold WORST		reserve, print the id, and wait to be killed
 * Amounts are micro-dollars. Exit status as the commands'.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "budget.h"

static struct world w;
static struct budget_ask ask = {.model = "llama-3.1-8b-instant", .task_max = -1, .who = "test"};

static int
amount(const char *s)
{
	return strcmp(s, "unpriced") == 0 ? -1 : atoi(s);
}

static int
reserve(char id[BUDGET_ID], struct err *e)
{
	struct budget_refusal no;
	int rc = budget_reserve(&w, &ask, id, &no, e);

	if (rc != 0 && no.scope != NULL)
		printf("%s %s %.3f\n", no.scope, no.file, no.retry_after_s);
	return rc;
}

static int
loop(int n, int worst, int cost, struct err *e)
{
	char id[BUDGET_ID];
	int done = 0, rc = 0;

	ask.worst = worst;
	while (done < n && (rc = budget_reserve(&w, &ask, id, NULL, e)) == 0) {
		struct budget_use use = {.cost = cost, .input_tokens = 3, .output_tokens = 4};

		done++;
		if ((rc = budget_settle(&w, id, &use, e)) != 0)
			break;
	}
	printf("%d\n", done);
	return rc;
}

int
main(int argc, char **argv)
{
	const char *verb = argc > 1 ? argv[1] : "";
	char id[BUDGET_ID];
	struct err e = {0};
	int c, rc = -VIV_USAGE;

	err_program(argv[0]);
	if (world_open(&w, NULL, &e) != 0)
		err_die(&e);
	optind = 2;
	while ((c = getopt(argc, argv, "t:r:i:p:x:")) != -1) {
		if (c == 't')
			ask.task_id = optarg;
		if (c == 'r')
			ask.resident_id = optarg;
		if (c == 'i')
			ask.identity_id = optarg;
		if (c == 'p')
			ask.provider = optarg;
		if (c == 'x')
			ask.task_max = amount(optarg);
	}
	argv += optind;
	argc -= optind;
	if ((strcmp(verb, "reserve") == 0 || strcmp(verb, "hold") == 0) && argc == 1) {
		ask.worst = amount(argv[0]);
		rc = reserve(id, &e);
		if (rc == 0)
			puts(id);
		fflush(stdout);
		while (rc == 0 && *verb == 'h')
			pause();
	} else if (strcmp(verb, "settle") == 0 && argc >= 2) {
		struct budget_use use = {.cost = amount(argv[1]), .model = "answered",
		    .input_tokens = argc > 2 ? atoi(argv[2]) : 0,
		    .output_tokens = argc > 3 ? atoi(argv[3]) : 0};

		rc = budget_settle(&w, argv[0], &use, &e);
	} else if (strcmp(verb, "refund") == 0 && argc == 1) {
		rc = budget_refund(&w, argv[0], "not sent", &e);
	} else if (strcmp(verb, "forfeit") == 0 && argc == 1) {
		rc = budget_forfeit(&w, argv[0], "no answer", &e);
	} else if (strcmp(verb, "pause") == 0 && argc == 2) {
		rc = budget_pause(&w, argv[0], atof(argv[1]), &e);
	} else if (strcmp(verb, "loop") == 0 && argc == 3) {
		rc = loop(amount(argv[0]), amount(argv[1]), amount(argv[2]), &e);
	}
	if (rc != 0)
		err_warn("%s", e.msg);
	return -rc;
}
