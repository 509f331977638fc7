/*
 * viv-review: the critic of finished work, and the decisions of people, jurors, models.
 *
 * As a stage it looks at lines that viv-cycle has completed and ends their attempt:
 * approved, sent back to be tried again with the issues found, or failed when no
 * attempt is left. A task with "review" human, jury or model ends it by waiting for
 * them, so that no line behind it waits too. As a verb it is that person (lib/decide.c),
 * a juror (lib/jury.c), or it asks the model (lib/judge.c).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buf.h"
#include "clock.h"
#include "decide.h"
#include "json.h"
#include "jsonl.h"
#include "judge.h"
#include "jury.h"
#include "opt.h"
#include "review.h"
#include "stage.h"
#include "utf8.h"
#include "votes.h"
#include "watch.h"

#define USAGE "viv-review [-fhJnq] [-m REASON] [-b WHO] [-C WORLD] " \
	"[approve|reject|requeue|jury|judge ID ... | vote ID approve|reject | list]"

enum { IDLE_MS = 1000, RETRY_MS = 30000 };	/* judge -f: looks again, asks again */

struct reviewer {
	struct world w;
	struct log log;
	struct fold fold;
	const char *who, *reason;
	bool named;		/* who, by -b */
	bool dry, json, quiet, follow;
};

/* --- the verbs --- */

static void
print_waiting(const struct fold_task *t, const char *verdict, const char *reason)
{
	char age[CLOCK_TEXT], id[256] = "", why[256] = "";

	clock_short(clock_wall() - t->when, age);
	utf8_printable(id, sizeof(id), t->id, strlen(t->id));
	utf8_printable(why, sizeof(why), reason, strlen(reason));
	printf("%-30s %4s  %-13s %s\n", id, age, verdict != NULL ? verdict : "-", why);
}

static int
list_one(const struct reviewer *r, const struct fold_task *t, struct err *e)
{
	cJSON *ev = fold_event(&r->fold, &r->log, t), *records = NULL;
	struct buf why = {0};
	int rc = ev != NULL ? votes_read(&r->w, t->id, t->generation, &records, e) : 0;

	votes_turn(ev, records, clock_wall(), &why);
	if (rc == 0 && r->json && ev != NULL) {
		json_set_str(ev, "reason", why.p);
		rc = jsonl_write(STDOUT_FILENO, ev, e);
	} else if (rc == 0 && !r->json) {
		print_waiting(t, json_str(ev, "review_verdict"), why.p);
	}
	buf_free(&why);
	cJSON_Delete(records);
	cJSON_Delete(ev);
	return rc;
}

/* What waits, oldest first. */
static int
list(struct reviewer *r, int argc, char **argv)
{
	struct err e = {0};
	size_t n;
	struct fold_task **v = decide_waiting(&r->fold, &n);
	int rc = 0;

	(void)argc;
	(void)argv;
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = list_one(r, v[i], &e);
	free(v);
	if (rc != 0)
		err_warn("%s", e.msg);
	return rc != 0 ? -rc : n > 0 ? 0 : VIV_NO;
}

/* What became of one id: report it, print the line of an approval; the worst status. */
static int
told(const struct reviewer *r, int rc, cJSON *line, struct err *e, int worst)
{
	if (rc < 0)
		err_warn("%s", e->msg);
	if (line != NULL && !r->quiet) {
		int lost = jsonl_write(STDOUT_FILENO, line, e);

		if (lost != 0) {
			err_warn("%s", e->msg);
			rc = lost;
		}
	}
	cJSON_Delete(line);
	return rc < 0 && -rc > worst ? -rc : worst;
}

static struct decide
by_whom(struct reviewer *r)
{
	return (struct decide){&r->w, &r->log, &r->fold, r->who, r->reason, r->dry};
}

static int
decide_each(struct reviewer *r, int argc, char **argv)
{
	const char *status = strcmp(argv[0], "approve") == 0 ? "approved" :
	    strcmp(argv[0], "reject") == 0 ? "failed" : "requeue";
	struct decide d = by_whom(r);
	struct err e = {0};
	int worst = 0;

	for (int i = 1; i < argc; i++) {
		cJSON *line;
		int rc = decide_task(&d, argv[i], status, &line, &e);

		worst = told(r, rc, line, &e, worst);
	}
	return worst;
}

static int
vote(struct reviewer *r, int argc, char **argv)
{
	struct decide d = by_whom(r);
	struct err e = {0};
	cJSON *line;
	int rc;

	if (argc != 3 || (strcmp(argv[2], "approve") != 0 && strcmp(argv[2], "reject") != 0))
		opt_usage("vote wants an id, and approve or reject");
	if (!r->named && (d.who = getenv("VIV_RESIDENT")) == NULL)
		opt_usage("who votes? name a juror with -b");
	rc = jury_vote(&d, argv[1], argv[2], &line, &e);
	return told(r, rc, line, &e, 0);
}

static int
show_jury(const struct reviewer *r, const cJSON *jury, struct err *e)
{
	const cJSON *v;

	if (r->json)
		return jsonl_write(STDOUT_FILENO, jury, e);
	cJSON_ArrayForEach(v, json_arr(jury, "jurors")) {
		const char *said = json_str(v, "vote"), *text = json_str(v, "reason");
		char name[256] = "", why[1024] = "";

		utf8_printable(
		    name, sizeof(name), json_str(v, "juror"), strlen(json_str(v, "juror")));
		if (text != NULL)
			utf8_printable(why, sizeof(why), text, strlen(text));
		printf("%-30s %-8s %s\n", name, said != NULL ? said : "-", why);
	}
	return 0;
}

/* Finish what a crash has left, then show who has said what. */
static int
jury(struct reviewer *r, int argc, char **argv)
{
	struct decide d = by_whom(r);
	struct err e = {0};
	int worst = 0;

	for (int i = 1; i < argc; i++) {
		cJSON *line, *look = NULL;
		int rc = jury_settle(&d, argv[i], &line, &e);

		if (rc == 1)
			err_warn("'%s': a majority had voted; recorded", argv[i]);
		worst = told(r, rc, line, &e, worst);
		if (rc == 0 && (rc = jury_look(&d, argv[i], &look, &e)) == 0)
			rc = show_jury(r, look, &e);
		if (rc < 0)
			worst = told(r, rc, NULL, &e, worst);
		cJSON_Delete(look);
	}
	return worst;
}

/* Once over the ids, or over all that waits. */
static int
judge_pass(struct reviewer *r, struct judge *j, int argc, char **argv, int *decided_out)
{
	struct decide d = by_whom(r);
	size_t n = 0;
	struct fold_task **v = argc > 1 ? NULL : decide_waiting(&r->fold, &n);
	int worst = 0;

	if (argc > 1)
		n = (size_t)argc - 1;
	for (size_t i = 0; i < n && worst != VIV_UNAVAILABLE; i++) {
		struct err e = {0};
		cJSON *line;
		int rc = judge_task(j, &d, v != NULL ? v[i]->id : argv[i + 1], v == NULL, &line,
		    &e);

		*decided_out += rc == 1;
		worst = told(r, rc, line, &e, worst);
	}
	free(v);
	return worst;
}

static int
judge(struct reviewer *r, int argc, char **argv)
{
	struct err e = {0};
	struct judge j;
	int decided = 0, rc, watch;

	if (r->dry)		/* there is nothing to find out without asking */
		return VIV_NO;
	if (judge_open(&j, &r->w, &e) != 0)
		err_die(&e);
	watch = r->follow ? watch_open(&r->w) : -1;
	rc = judge_pass(r, &j, argc, argv, &decided);
	while (r->follow && rc != VIV_IO) {
		long pause = rc == VIV_UNAVAILABLE || rc == VIV_REFUSED ? RETRY_MS : IDLE_MS;
		int64_t until = clock_boot_ns() + pause * 1000000;

		do {
			if (watch_wait(watch, IDLE_MS, false) == WATCH_GONE)
				goto out;
			watch_drain(watch);
		} while (clock_boot_ns() < until && pause == RETRY_MS);
		if (fold_read(&r->fold, &r->log, false, &e) != 0)
			err_die(&e);
		rc = judge_pass(r, &j, 1, argv, &decided);
	}
out:
	judge_close(&j);
	if (watch >= 0)
		close(watch);
	return rc != 0 || r->follow ? rc : decided > 0 ? 0 : VIV_NO;
}

static int
verbs(struct reviewer *r, int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(struct reviewer *r, int argc, char **argv);
		int least, most;	/* words with the verb itself, 0: any number */
	} verb[] = {{"approve", decide_each, 2, 0}, {"reject", decide_each, 2, 0},
	    {"requeue", decide_each, 2, 0}, {"vote", vote, 2, 3}, {"jury", jury, 2, 0},
	    {"judge", judge, 1, 0}, {"list", list, 1, 1}};
	const size_t n = sizeof(verb) / sizeof(verb[0]);
	struct err e = {0};
	size_t i = 0;
	int rc;

	while (i < n && strcmp(argv[0], verb[i].name) != 0)
		i++;
	if (i == n)
		opt_usage("'%s' is not approve, reject, requeue, vote, jury, judge or list",
		    argv[0]);
	if (verb[i].most > 0 && argc > verb[i].most)
		opt_usage("unexpected argument '%s'", argv[verb[i].most]);
	if (argc < verb[i].least)
		opt_usage("%s what? name an id", argv[0]);
	if (world_open(&r->w, opt_world, &e) != 0 || log_open(&r->log, &r->w, &e) != 0 ||
	    fold_read(&r->fold, &r->log, !r->dry, &e) != 0)
		err_die(&e);
	rc = verb[i].run(r, argc, argv);
	fold_free(&r->fold);
	log_close(&r->log);
	return rc;
}

static int
stage(struct reviewer *r)
{
	struct err e = {0};
	int found = world_find(&r->w, opt_world, &e);

	if (found < 0)
		err_die(&e);
	return stage_run(review_line, found > 0 ? &r->w : NULL);
}

int
main(int argc, char **argv)
{
	static const struct option longs[] = {
		{"reason", required_argument, NULL, 'm'}, {"by", required_argument, NULL, 'b'},
		{"dry-run", no_argument, NULL, 'n'}, {"json", no_argument, NULL, 'J'},
		{"quiet", no_argument, NULL, 'q'}, {"follow", no_argument, NULL, 'f'},
		{NULL, 0, NULL, 0}};
	const char *user = getenv("USER");
	struct reviewer r = {.who = NULL};
	char *human;
	int c, rc;

	opt_init(argc, argv, USAGE);
	while ((c = opt_next(argc, argv, "m:b:nJqf", longs)) != -1) {
		if (c == 'm')
			r.reason = optarg;
		if (c == 'b')
			r.who = optarg;
		r.dry |= c == 'n';
		r.json |= c == 'J';
		r.quiet |= c == 'q';
		r.follow |= c == 'f';
	}
	human = mem_fmt("human:%s", user != NULL && *user != '\0' ? user : "unknown");
	r.named = r.who != NULL && *r.who != '\0';
	if (!r.named)
		r.who = human;
	rc = optind < argc ? verbs(&r, argc - optind, argv + optind) : stage(&r);
	if (r.w.root != NULL)
		world_close(&r.w);
	free(human);
	return opt_end(rc);
}
