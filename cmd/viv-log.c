/*
 * viv-log: records what the stages before it decided.
 *
 * Lines are taken in bursts: all that has arrived is committed (lib/commit.c), one
 * fdatasync makes it durable, and only then the lines go on. So nothing downstream
 * ever acts on an event that a power cut could take back, and a busy pipeline pays
 * for one sync where a quiet one pays for each. If the log cannot be written, nothing
 * is passed on.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chain.h"
#include "clock.h"
#include "commit.h"
#include "json.h"
#include "jsonl.h"
#include "num.h"
#include "opt.h"
#include "query.h"
#include "rotate.h"
#include "stage.h"
#include "task.h"

#define USAGE \
	"viv-log [-qfVRhn] [-t ID]... [-s STATUS] [-r RESIDENT] [-T TAG] [-S SINCE] [-U UNTIL]" \
	" [-l LAST] [-Z SIZE] [-A AGE] [-C WORLD]"

enum { IDS = 64 };

struct recorder {
	struct log *log;
	int refused;
};

static int
record_line(cJSON *line, void *arg, struct err *e)
{
	struct recorder *r = arg;
	int rc = commit_line(r->log, line, e);

	if (rc == -VIV_REFUSED) {
		err_warn("%s", e->msg);
		r->refused++;
		rc = 0;
	}
	return rc;
}

static int
make_durable(void *arg, struct err *e)
{
	struct recorder *r = arg;

	return log_sync(r->log, e);
}

static int
record(struct log *l)
{
	struct recorder r = {l, 0};
	int rc = stage_run_bursts(record_line, make_durable, &r);

	return rc <= VIV_NO && r.refused > 0 ? VIV_REFUSED : rc;
}

static int
verify(const struct world *w)
{
	struct chain_report r;
	struct err e = {0};

	if (chain_verify(w, &r, &e) != 0)
		err_die(&e);
	if (r.ok)
		printf("ok: %lu lines in %lu segments, %lu of them from before the chain\n",
		    r.lines, r.segments, r.unchained);
	else
		printf("bad: %s line %lu: %s\n", r.segment, r.line, r.what);
	if (r.torn[0] != '\0')
		err_warn("'%s' ends in a torn line, which the next append sets aside", r.torn);
	return r.ok ? 0 : VIV_NO;
}

struct rotate {
	long long size;			/* bytes, -1: any */
	double age_s;			/* of the first line, -1: any */
};

static int
rotate(struct log *l, const struct rotate *r, bool dry)
{
	struct err e = {0};

	if (!rotate_due(l->dir, l->own, r->size, r->age_s)) {
		err_warn("nothing to rotate");
		return VIV_NO;
	}
	if (dry)
		printf("would rotate %s/%s\n", WORLD_AUDIT, l->own);
	else if (log_rotate(l, &e) != 0)
		err_die(&e);
	return 0;
}

static double
time_arg(const char *opt, const char *text)
{
	double t;

	if (!clock_parse(text, &t)) {
		if (num_seconds(text, 0, 1e10, &t))
			t = clock_wall() - t;
		else
			opt_usage(
			    "%s wants a time (2026-01-31T12:00:00) or an age (2h), not '%s'",
			    opt, text);
	}
	return t;
}

int
main(int argc, char **argv)
{
	static const struct option longs[] = {
		{"query", no_argument, NULL, 'q'}, {"follow", no_argument, NULL, 'f'},
		{"verify", no_argument, NULL, 'V'}, {"rotate", no_argument, NULL, 'R'},
		{"task", required_argument, NULL, 't'}, {"status", required_argument, NULL, 's'},
		{"resident", required_argument, NULL, 'r'}, {"tag", required_argument, NULL, 'T'},
		{"since", required_argument, NULL, 'S'}, {"until", required_argument, NULL, 'U'},
		{"last", required_argument, NULL, 'l'}, {"size", required_argument, NULL, 'Z'},
		{"age", required_argument, NULL, 'A'}, {"dry-run", no_argument, NULL, 'n'},
		{NULL, 0, NULL, 0}};
	const char *ids[IDS + 1] = {NULL};
	struct query q = {.last = -1};
	struct rotate r = {-1, -1};
	struct err e = {0};
	struct world w;
	struct log l;
	size_t nids = 0;
	int c, mode = 0, rc;
	bool dry = false, filtered = false;
	long long v;

	opt_init(argc, argv, USAGE);
	while ((c = opt_next(argc, argv, "qfVRt:s:r:T:S:U:l:Z:A:n", longs)) != -1) {
		if (strchr("qfVR", c) != NULL)
			mode = mode == 0 || (c != 'V' && c != 'R') ? (mode == 'f' ? 'f' : c) : c;
		filtered |= strchr("tsrTSUl", c) != NULL;
		switch (c) {
		case 't':
			if (nids == IDS)
				opt_usage("at most %d ids", IDS);
			ids[nids++] = optarg;
			q.ids = ids;
			break;
		case 's':
			if (task_status_parse(optarg) == TASK_UNKNOWN)
				opt_usage("'%s' is not a status", optarg);
			q.status = optarg;
			break;
		case 'r':
			q.resident = optarg;
			break;
		case 'T':
			q.tag = optarg;
			break;
		case 'S':
			q.since = time_arg("-S", optarg);
			break;
		case 'U':
			q.until = time_arg("-U", optarg);
			break;
		case 'l':
			if (!num_int(optarg, 0, 1000000000, &v))
				opt_usage("-l wants a number, not '%s'", optarg);
			q.last = (long)v;
			break;
		case 'Z':
			if (!num_size(optarg, 0, 1LL << 50, &r.size))
				opt_usage("-Z wants bytes (10M), not '%s'", optarg);
			break;
		case 'A':
			if (!num_seconds(optarg, 0, 1e10, &r.age_s))
				opt_usage("-A wants an age (7d), not '%s'", optarg);
			break;
		case 'n':
			dry = true;
			break;
		}
	}
	if (optind < argc)
		opt_usage("unexpected argument '%s': ids are given with -t", argv[optind]);
	if (mode == 0 && filtered)
		mode = 'q';
	if (dry && mode != 'R')
		opt_usage("-n goes with -R: recording cannot be rehearsed");
	if (world_open(&w, opt_world, &e) != 0 || log_open(&l, &w, &e) != 0)
		err_die(&e);
	if (mode == 'V') {
		rc = verify(&w);
	} else if (mode == 'R') {
		rc = rotate(&l, &r, dry);
	} else if (mode == 'q' || mode == 'f') {
		q.follow = mode == 'f';
		rc = -query_run(&l, &q, &e);
		if (rc > VIV_NO)
			err_die(&e);
	} else {
		rc = record(&l);
	}
	log_close(&l);
	world_close(&w);
	return opt_end(rc);
}
