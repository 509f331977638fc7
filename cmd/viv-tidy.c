/*
 * viv-tidy: moves what is finished out of the way, and removes what nobody needs.
 *
 * Slots first, because a task with slots is not quite finished; then the board, the
 * log, and the litter. Every step is safe on its own and beside running residents, so
 * a run that was killed is completed by the next one. -n goes the same way and leaves
 * out the changes.
 */
#include <stdio.h>
#include <stdlib.h>

#include "ledger.h"
#include "num.h"
#include "opt.h"
#include "rotate.h"
#include "sweep.h"
#include "trim.h"

#define USAGE "viv-tidy [-hnq] [-a DAYS] [-k COUNT] [-o SECONDS] [-s SIZE] [-C WORLD]"

struct tidy {
	struct world w;
	struct log log;
	struct fold fold;
	struct slots slots;
	struct trim_want trim;
	long long rotate_size;		/* bytes */
	double rotate_age_s;		/* -1: at any age */
	bool quiet;
};

static void
say_task(const char *id, bool done, void *arg)
{
	const struct tidy *t = arg;

	if (!t->quiet)
		printf("archived %s %s\n", done ? "done" : "failed", id);
}

static void
say_path(const char *path, void *arg)
{
	const struct tidy *t = arg;

	if (!t->quiet)
		printf("removed %s\n", path);
}

/* --- the log --- */

/* Under its lock, so that no reservation is between the two files. */
static int
rotate_ledger(const struct tidy *t, struct err *e)
{
	struct ledger l;
	int rc;

	ledger_open(&l, &t->w);
	rc = ledger_begin(&l, e);
	if (rc == 0)
		rc = ledger_rotate(&l, e);
	ledger_close(&l);
	return rc;
}

static int
rotate(struct tidy *t, struct err *e)
{
	char *own = mem_fmt("%s/%s", WORLD_AUDIT, t->log.own);
	const char *const path[] = {own, WORLD_SAFETY_LOG, LEDGER_FILE};
	int rc = 0;

	for (size_t i = 0; i < sizeof(path) / sizeof(path[0]) && rc == 0; i++) {
		if (!rotate_due(t->w.fd, path[i], t->rotate_size, t->rotate_age_s))
			continue;
		if (!t->trim.dry)
			rc = i == 0 ? log_rotate(&t->log, e) : i == 1 ?
			    rotate_plain(t->w.fd, path[i], e) : rotate_ledger(t, e);
		if (rc == 0 && !t->quiet)
			printf("rotated %s\n", path[i]);
	}
	free(own);
	return rc;
}

/* --- all of it --- */

static int
tidy(struct tidy *t, struct err *e)
{
	struct sweep k = {&t->w, &t->fold, t->trim.older_s, SWEEP_TEMP_S, t->trim.dry, say_path, t};
	int rc = slots_read(&t->w, &t->slots, e);

	if (rc == 0)
		rc = fold_read(&t->fold, &t->log, !t->trim.dry, e);
	if (rc == 0)
		rc = sweep_slots(&k, &t->slots, e);
	if (rc >= 0)
		rc = trim_board(&t->w, &t->log, &t->fold, &t->slots, &t->trim, say_task, t, e);
	if (rc >= 0)
		rc = sweep_work(&k, e);
	if (rc >= 0)
		rc = sweep_seen(&k, &t->slots, e);
	if (rc >= 0)
		rc = sweep_temp(&k, e);
	if (rc >= 0)
		rc = rotate(t, e);
	return rc < 0 ? rc : 0;
}

static void
parse(struct tidy *t, int argc, char **argv)
{
	static const struct option longs[] = {
		{"rotate-age", required_argument, NULL, 'a'},
		{"keep-done", required_argument, NULL, 'k'},
		{"older", required_argument, NULL, 'o'},
		{"rotate-size", required_argument, NULL, 's'},
		{"dry-run", no_argument, NULL, 'n'}, {"quiet", no_argument, NULL, 'q'}, {0}};
	long long n;
	double days;
	int c;

	while ((c = opt_next(argc, argv, "a:k:o:s:nq", longs)) != -1) {
		if (c == 'a') {
			if (!num_real(optarg, 0.001, 36500, &days))
				opt_usage("-a wants days, not '%s'", optarg);
			t->rotate_age_s = days * 86400;
		}
		if (c == 'k') {
			if (!num_int(optarg, 0, 1000000000, &n))
				opt_usage("-k wants a number of tasks, not '%s'", optarg);
			t->trim.keep = (size_t)n;
		}
		if (c == 'o' && !num_seconds(optarg, 0, 1e9, &t->trim.older_s))
			opt_usage("-o wants seconds, not '%s'", optarg);
		if (c == 's' && !num_size(optarg, 1, 1LL << 50, &t->rotate_size))
			opt_usage("-s wants bytes, not '%s'", optarg);
		t->trim.dry |= c == 'n';
		t->quiet |= c == 'q';
	}
	if (optind < argc)
		opt_usage("unexpected argument '%s'", argv[optind]);
}

int
main(int argc, char **argv)
{
	struct tidy t = {.trim = {.older_s = 86400}, .rotate_size = 64LL << 20,
	    .rotate_age_s = -1};
	struct err e = {0};
	int rc;

	opt_init(argc, argv, USAGE);
	parse(&t, argc, argv);
	if (world_open(&t.w, opt_world, &e) != 0 || log_open(&t.log, &t.w, &e) != 0)
		err_die(&e);
	rc = tidy(&t, &e);
	slots_free(&t.slots);
	fold_free(&t.fold);
	log_close(&t.log);
	world_close(&t.w);
	if (rc != 0) {
		fflush(stdout);
		err_die(&e);
	}
	return opt_end(0);
}
