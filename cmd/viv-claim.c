/*
 * viv-claim: chooses tasks, takes them, prints their task lines, and keeps them
 * while it lives.
 *
 * One poll loop. It wakes when the log or the board changes (inotify, and once a
 * second in case the file system tells nothing), when a lease is a third gone, and
 * when the reader of its output has gone. That last event, a signal, or the end of
 * work (-e) starts the shutdown: stdout is closed, so that the pipeline drains, and
 * claims are renewed until they have ended; after 10 s, or at once when the reader
 * died, what nobody executes is given back.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "choose.h"
#include "clock.h"
#include "halt.h"
#include "json.h"
#include "jsonl.h"
#include "keep.h"
#include "num.h"
#include "opt.h"
#include "rand.h"
#include "stop.h"
#include "watch.h"

#define USAGE "viv-claim [-fehn] [-c COUNT] [-w CLAIMS] [-r RESIDENT] [-i IDENTITY] [-P PID]" \
	" [-l LEASE] [-T TAG] [-m MODE] [-C WORLD]"

enum { DRAIN_S = 10, DRAIN_MS = 50 };

struct state {
	struct world w;
	struct chooser c;
	struct keep keep;
	size_t max;			/* claims held at once */
	long count;			/* lines still to print, -1: no end */
	bool follow, until_empty, dry;
	bool draining, reader_gone;
	int64_t drain_ns, last_claim_ns;
	int notify;
};

/* What stands in the way of any claim: -1 nothing, else milliseconds to wait for it. */
static int
barred(struct state *s)
{
	char reason[256];
	struct err e = {0};
	double pace;
	int64_t due;

	if (halt_on(&s->w, reason, sizeof(reason)) || halt_paused(&s->w)) {
		if (!s->follow || (s->until_empty && s->keep.n == 0))
			err_exit(VIV_REFUSED, "no claims now: %s",
			    halt_paused(&s->w) ? "paused" : reason);
		return WATCH_TICK_MS;
	}
	pace = halt_pace(&s->w, &e);
	if (pace < 0)
		err_die(&e);
	due = s->last_claim_ns + (int64_t)(pace * 1e9);
	if (pace <= 0 || s->last_claim_ns == 0 || clock_boot_ns() >= due)
		return -1;
	return (int)((due - clock_boot_ns()) / 1000000) + 1;
}

/* Claim and print while there is room. 0, or the exit code to end with. */
static int
claim_some(struct state *s, int *wait_ms, struct err *e)
{
	while (s->count != 0 && s->keep.n < s->max && !stop_asked()) {
		struct slot_hold hold;
		cJSON *line;
		int bar = barred(s), rc;

		if (bar >= 0) {
			*wait_ms = bar < *wait_ms ? bar : *wait_ms;
			return 0;
		}
		rc = choose_next(&s->c, &line, &hold, e);
		if (rc == -VIV_NO)
			return 0;
		if (rc != 0)
			return -rc;
		s->last_claim_ns = clock_boot_ns();
		keep_add(&s->keep, &hold, line);
		rc = jsonl_write(STDOUT_FILENO, line, e);
		cJSON_Delete(line);
		if (rc != 0) {
			s->reader_gone = errno == EPIPE;
			return s->reader_gone ? 0 : VIV_IO;
		}
		if (s->count > 0)
			s->count--;
	}
	return 0;
}

static void
begin_drain(struct state *s)
{
	int null;

	if (s->draining)
		return;
	s->draining = true;
	s->drain_ns = clock_boot_ns() + (int64_t)DRAIN_S * 1000000000;
	null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (null >= 0) {
		dup2(null, STDOUT_FILENO);	/* the pipe's last writer has gone */
		close(null);
	}
}

static void
drain_step(struct state *s)
{
	bool late = clock_boot_ns() > s->drain_ns;

	if (s->reader_gone || late)
		keep_give_back(
		    &s->keep, &s->w, &s->c.log, s->reader_gone ? "pipeline ended" : "interrupted");
	if (late)		/* what is left is being executed, and renewed there */
		keep_leave(&s->keep);
}

static void
wait_for_change(struct state *s, int wait_ms)
{
	struct pollfd p[2] = {
	    {.fd = s->draining ? -1 : STDOUT_FILENO}, {.fd = s->notify, .events = POLLIN}};

	stop_poll(p, 2, wait_ms);
	if (p[0].revents & (POLLERR | POLLNVAL))
		s->reader_gone = true;
	watch_drain(s->notify);
}

static int
next_wait(const struct state *s, int wait_ms)
{
	int64_t now = clock_boot_ns(), due = keep_due_ns(&s->keep);
	int choose = choose_wait_ms(&s->c);

	if (s->draining)
		wait_ms = DRAIN_MS;
	if (choose >= 0 && choose < wait_ms && s->keep.n < s->max && !s->draining)
		wait_ms = choose;
	if (due != 0 && (due - now) / 1000000 < wait_ms)
		wait_ms = (int)((due - now) / 1000000);
	return wait_ms < 1 ? 1 : wait_ms;
}

static int
loop(struct state *s, struct err *e)
{
	long asked = s->count;

	for (;;) {
		int wait_ms = WATCH_TICK_MS, rc = 0;

		if (stop_asked() || s->reader_gone)
			begin_drain(s);
		keep_tend(&s->keep, &s->w, &s->c.fold);
		if (s->draining) {
			drain_step(s);
			if (s->keep.n == 0)
				return 0;
		} else if ((rc = claim_some(s, &wait_ms, e)) != 0) {
			return -rc;
		}
		if (!s->follow && !s->reader_gone) {
			keep_leave(&s->keep);	/* a -c run leaves its claims to its caller */
			return asked > s->count ? 0 : -VIV_NO;
		}
		if (s->count == 0 && s->keep.n == 0)
			return 0;
		if (s->until_empty && s->keep.n == 0 && !choose_pending(&s->c) && !s->draining &&
		    wait_ms == WATCH_TICK_MS)
			return 0;
		wait_for_change(s, next_wait(s, wait_ms));
		rc = choose_look(&s->c, e);
		if (rc != 0 && rc != -VIV_TEMPFAIL)
			return rc;
	}
}

static const struct board *sorting;

static int
by_order(const void *a, const void *b)
{
	const size_t *x = a, *y = b;
	const struct task *s = &sorting->v[*x], *t = &sorting->v[*y];

	if (s->priority != t->priority)
		return s->priority < t->priority ? 1 : -1;
	return (*x > *y) - (*x < *y);
}

/* -n: print what would be claimed, in order, and claim nothing. */
static int
dry_run(struct state *s)
{
	size_t *at = mem_zero(s->c.board.n + 1, sizeof(*at)), n = 0, i;
	struct slot other;

	for (i = 0; i < s->c.board.n; i++)
		if (claim_gate(&s->c.board, &s->c.fold, i, &s->c.want, clock_wall(), NULL) ==
		    CLAIM_READY &&
		    !claim_holder(&s->w, &s->c.fold, s->c.board.v[i].id, &other))
			at[n++] = i;
	sorting = &s->c.board;
	qsort(at, n, sizeof(*at), by_order);
	for (i = 0; i < n && (s->count < 0 || i < (size_t)s->count); i++) {
		cJSON *t = board_task(&s->c.board, at[i]);

		if (jsonl_write(STDOUT_FILENO, t, NULL) != 0)
			exit(VIV_IO);
		cJSON_Delete(t);
	}
	free(at);
	return n > 0 ? 0 : VIV_NO;
}

static void
options(int argc, char **argv, struct state *s, struct claim_want *want)
{
	static const struct option longs[] = {{"follow", no_argument, NULL, 'f'},
	    {"until-empty", no_argument, NULL, 'e'}, {"count", required_argument, NULL, 'c'},
	    {"window", required_argument, NULL, 'w'}, {"resident", required_argument, NULL, 'r'},
	    {"identity", required_argument, NULL, 'i'}, {"pid", required_argument, NULL, 'P'},
	    {"lease", required_argument, NULL, 'l'}, {"tag", required_argument, NULL, 'T'},
	    {"mode", required_argument, NULL, 'm'}, {"dry-run", no_argument, NULL, 'n'},
	    {NULL, 0, NULL, 0}};
	long long v;
	int c;

	s->count = 0;
	s->max = 0;
	while ((c = opt_next(argc, argv, "fec:w:r:i:P:l:T:m:n", longs)) != -1) {
		if (c == 'f' || c == 'e')
			s->follow = true;
		if (c == 'e')
			s->until_empty = true;
		if (c == 'n')
			s->dry = true;
		if (c == 'c' && (!num_int(optarg, 1, 1000000, &v) || (s->count = (long)v) == 0))
			opt_usage("-c wants a number from 1 on, not '%s'", optarg);
		if (c == 'w' && (!num_int(optarg, 1, 100000, &v) || (s->max = (size_t)v) == 0))
			opt_usage("-w wants a number from 1 on, not '%s'", optarg);
		if (c == 'P' && (!num_int(optarg, 1, 4194304, &v) || (want->owner.pid = v) == 0))
			opt_usage("-P wants a process id, not '%s'", optarg);
		if (c == 'l' &&
		    !num_seconds(optarg, 1, SLOT_LEASE_MAX_S, &want->owner.lease_s))
			opt_usage("-l wants seconds from 1 to %d, not '%s'", SLOT_LEASE_MAX_S,
			    optarg);
		if (c == 'r')
			want->owner.resident = optarg;
		if (c == 'i')
			want->owner.identity = optarg;
		if (c == 'T')
			want->tag = optarg;
		if (c == 'm')
			want->mode = optarg;
	}
	if (optind < argc)
		opt_usage("unexpected argument '%s'", argv[optind]);
	if (want->mode != NULL && strcmp(want->mode, "local") != 0 &&
	    strcmp(want->mode, "llm") != 0)
		opt_usage("-m wants local or llm, not '%s'", want->mode);
}

int
main(int argc, char **argv)
{
	struct state s = {.notify = -1};
	struct claim_want want = {.owner = {.lease_s = SLOT_LEASE_S}};
	char generated[32] = "resident_";
	struct err e = {0};
	int rc;

	opt_init(argc, argv, USAGE);
	options(argc, argv, &s, &want);
	if (!s.follow && s.count == 0 && !s.dry)
		s.count = 1;
	if (s.count == 0)
		s.count = -1;
	if (s.max == 0)
		s.max = s.follow ? 1 : SIZE_MAX;
	rand_hex(generated + 9, 4);
	if (want.owner.resident == NULL)
		want.owner.resident = getenv("VIV_RESIDENT") != NULL ? getenv("VIV_RESIDENT") :
								       generated;
	if (task_id_check(want.owner.resident, NULL) != 0)
		opt_usage("-r: '%s' cannot be a resident's name", want.owner.resident);
	if (s.follow && want.owner.pid == 0)
		want.owner.pid = getpid();
	if (world_open(&s.w, opt_world, &e) != 0 ||
	    choose_open(&s.c, &s.w, &want, !s.follow, &e) != 0)
		err_die(&e);
	if (s.dry) {
		rc = dry_run(&s);
		choose_close(&s.c);
		world_close(&s.w);
		return opt_end(rc);
	}
	stop_catch();
	/* To close one takes the kernel 10 ms and more, so not for a single claim. */
	if (s.follow)
		s.notify = watch_open(&s.w);
	rc = loop(&s, &e);
	if (rc < 0 && e.code == -rc && rc != -VIV_NO)
		err_warn("%s", e.msg);
	keep_give_back(&s.keep, &s.w, &s.c.log, "claimer ended");
	keep_free(&s.keep);
	choose_close(&s.c);
	world_close(&s.w);
	return opt_end(-rc);
}
