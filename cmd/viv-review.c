/*
 * viv-review: the critic of finished work, and the decisions of people.
 *
 * As a stage it looks at lines that viv-cycle has completed and ends their attempt:
 * approved, sent back to be tried again with the issues found, or failed when no
 * attempt is left; a task with "review":"human" waits for a person instead. As a verb
 * it is that person (lib/decide.c).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attempt.h"
#include "backoff.h"
#include "clock.h"
#include "critic.h"
#include "decide.h"
#include "json.h"
#include "jsonl.h"
#include "opt.h"
#include "stage.h"
#include "task.h"
#include "utf8.h"

#define USAGE "viv-review [-hJnq] [-m REASON] [-b WHO] [-C WORLD]" \
	" [approve|reject|requeue|list] [ID ...]"

struct reviewer {
	struct world w;
	bool have_world;
	struct log log;
	struct fold fold;
	const char *who, *reason;
	bool dry, json, quiet;
};

/* --- the stage --- */

static void
add_verdict(cJSON *ev, const struct critic *v)
{
	json_set_str(ev, "review_verdict", v->verdict);
	json_set_num(ev, "review_confidence", v->confidence);
	json_set(ev, "review_issues", cJSON_Duplicate(v->issues, true));
}

/* The final event repeats what a reader of the log wants to know of the result. */
static void
add_outcome(cJSON *ev, const cJSON *line)
{
	static const char *const same[] = {"exit_code", "model", "budget_used"};
	const cJSON *res = json_obj(line, "result");
	const char *text = json_str(res, "text");

	if (text == NULL)
		text = json_str(res, "stdout");
	if (text != NULL)
		attempt_summary(ev, text);
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
		if (json_get(res, same[i]) != NULL)
			json_set(ev, same[i], cJSON_Duplicate(json_get(res, same[i]), true));
	if (json_str(res, "sha256") != NULL)
		json_set_str(ev, "result_sha256", json_str(res, "sha256"));
}

static cJSON *
end_rejected(cJSON *line, const struct critic *v, int attempt)
{
	const char *first = cJSON_GetStringValue(cJSON_GetArrayItem(v->issues, 0));
	struct buf all = {0};
	const cJSON *item;
	char *reason;
	cJSON *ev;

	if (attempt >= task_max_attempts(line)) {
		reason = mem_fmt("rejected by review: %s", first != NULL ? first : "no reason");
		ev = stage_final(line, "failed", reason);
		free(reason);
		return ev;
	}
	ev = stage_final(line, "requeue", "rejected by review");
	backoff_set(ev, backoff_s(attempt));
	cJSON_ArrayForEach(item, v->issues) {
		buf_str(&all, all.len > 0 ? "; " : "");
		buf_str(&all, item->valuestring);
	}
	json_set_str(ev, "errors", all.p);
	buf_free(&all);
	return ev;
}

/* Begin the review. "review" is what the task asks for; an object there is a verdict of
 * before. A final event waits for somebody. */
static cJSON *
begin(cJSON *line)
{
	const char *how = json_str(line, "review");

	if (how == NULL || strcmp(how, "critic") == 0)
		return stage_event(line, "pending_review");
	return stage_final(line, "pending_review", strcmp(how, "human") == 0 ?
	    "waits for a person" : "waits for a person: no jury and no model reviews here");
}

static int
review_line(cJSON *line, void *arg, struct err *e)
{
	const struct reviewer *r = arg;
	int attempt = (int)json_num(json_obj(line, "claim"), "attempt", 1);
	struct critic v;
	cJSON *ev, *note;

	(void)e;
	if (strcmp(stage_status(line), "completed") != 0)
		return 0;
	critic_review(r->have_world ? &r->w : NULL, line, &v);
	ev = begin(line);
	add_verdict(ev, &v);
	json_set(ev, "review_suggestions", cJSON_Duplicate(v.suggestions, true));
	json_set_num(ev, "review_attempt", attempt);
	if (!json_bool(ev, "final", false)) {
		ev = v.accepted ? stage_final(line, "approved", NULL) :
		    end_rejected(line, &v, attempt);
		add_verdict(ev, &v);
	}
	add_outcome(ev, line);
	note = json_new();
	json_set_str(note, "verdict", v.verdict);
	json_set_num(note, "confidence", v.confidence);
	json_set(note, "issues", cJSON_Duplicate(v.issues, true));
	json_set_num(note, "attempt", attempt);
	json_set(line, "review", note);
	critic_free(&v);
	return 0;
}

/* --- the verbs --- */

static int
list_one(const struct reviewer *r, const struct fold_task *t, struct err *e)
{
	cJSON *ev = fold_event(&r->fold, &r->log, t);
	const char *verdict = json_str(ev, "review_verdict"), *reason = json_str(ev, "reason");
	char age[CLOCK_TEXT], id[256] = "", why[256] = "";
	int rc = 0;

	if (r->json && ev != NULL) {
		rc = jsonl_write(STDOUT_FILENO, ev, e);
	} else if (!r->json) {
		clock_short(clock_wall() - t->when, age);
		utf8_printable(id, sizeof(id), t->id, strlen(t->id));
		if (reason != NULL)
			utf8_printable(why, sizeof(why), reason, strlen(reason));
		printf("%-30s %4s  %-13s %s\n", id, age, verdict != NULL ? verdict : "-", why);
	}
	cJSON_Delete(ev);
	return rc;
}

/* What waits, oldest first. */
static int
list(const struct reviewer *r)
{
	struct err e = {0};
	size_t n;
	struct fold_task **v = decide_waiting(&r->fold, &n);
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++)
		rc = list_one(r, v[i], &e);
	free(v);
	if (rc != 0)
		err_warn("%s", e.msg);
	return rc != 0 ? -rc : n > 0 ? 0 : VIV_NO;
}

static int
decide_each(struct reviewer *r, int argc, char **argv, const char *status)
{
	struct decide d = {&r->w, &r->log, &r->fold, r->who, r->reason, r->dry};
	struct err e = {0};
	int worst = 0;

	for (int i = 0; i < argc; i++) {
		cJSON *line;
		int rc = decide_task(&d, argv[i], status, &line, &e);

		if (rc == 0 && line != NULL && !r->quiet)
			rc = jsonl_write(STDOUT_FILENO, line, &e);
		if (rc != 0)
			err_warn("%s", e.msg);
		worst = -rc > worst ? -rc : worst;
		cJSON_Delete(line);
	}
	return worst;
}

static int
verbs(struct reviewer *r, int argc, char **argv)
{
	static const char *const verb[][2] = {{"approve", "approved"}, {"reject", "failed"},
	    {"requeue", "requeue"}};
	bool listing = strcmp(argv[0], "list") == 0;
	const char *status = NULL;
	struct err e = {0};
	int rc;

	for (size_t i = 0; i < sizeof(verb) / sizeof(verb[0]); i++)
		if (strcmp(argv[0], verb[i][0]) == 0)
			status = verb[i][1];
	if (status == NULL && !listing)
		opt_usage("'%s' is not approve, reject, requeue or list", argv[0]);
	if (listing && argc > 1)
		opt_usage("unexpected argument '%s'", argv[1]);
	if (!listing && argc < 2)
		opt_usage("%s what? name an id", argv[0]);
	if (world_open(&r->w, opt_world, &e) != 0 || log_open(&r->log, &r->w, &e) != 0 ||
	    fold_read(&r->fold, &r->log, !r->dry, &e) != 0)
		err_die(&e);
	rc = listing ? list(r) : decide_each(r, argc - 1, argv + 1, status);
	fold_free(&r->fold);
	log_close(&r->log);
	return rc;
}

static int
stage(struct reviewer *r)
{
	struct err e = {0};

	r->have_world = world_open(&r->w, opt_world, &e) == 0;
	if (!r->have_world && (opt_world != NULL || getenv("VIV_ROOT") != NULL))
		err_die(&e);
	return stage_run(review_line, r);
}

int
main(int argc, char **argv)
{
	static const struct option longs[] = {
		{"reason", required_argument, NULL, 'm'}, {"by", required_argument, NULL, 'b'},
		{"dry-run", no_argument, NULL, 'n'}, {"json", no_argument, NULL, 'J'},
		{"quiet", no_argument, NULL, 'q'}, {NULL, 0, NULL, 0}};
	const char *user = getenv("USER");
	struct reviewer r = {.who = NULL};
	char *human;
	int c, rc;

	opt_init(argc, argv, USAGE);
	while ((c = opt_next(argc, argv, "m:b:nJq", longs)) != -1) {
		if (c == 'm')
			r.reason = optarg;
		if (c == 'b')
			r.who = optarg;
		r.dry |= c == 'n';
		r.json |= c == 'J';
		r.quiet |= c == 'q';
	}
	human = mem_fmt("human:%s", user != NULL && *user != '\0' ? user : "unknown");
	if (r.who == NULL || *r.who == '\0')
		r.who = human;
	rc = optind < argc ? verbs(&r, argc - optind, argv + optind) : stage(&r);
	if (r.w.root != NULL)
		world_close(&r.w);
	free(human);
	return opt_end(rc);
}
