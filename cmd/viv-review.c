/*
 * viv-review: the critic of finished work, and the decisions of people.
 *
 * As a stage it looks at lines that viv-cycle has completed and ends their attempt:
 * approved, sent back to be tried again with the issues found, or failed when no
 * attempt is left; a task with "review":"human" waits for a person instead. As a verb
 * it is that person: the decision takes the task's next slot (lib/commit.c), so it can
 * neither race a resident nor be made twice.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "board.h"
#include "clock.h"
#include "commit.h"
#include "critic.h"
#include "file.h"
#include "fold.h"
#include "json.h"
#include "jsonl.h"
#include "opt.h"
#include "rand.h"
#include "stage.h"
#include "utf8.h"

#define USAGE "viv-review [-hJnq] [-m REASON] [-b WHO] [-C WORLD] [approve|reject|requeue|list] [ID ...]"

enum {
	BACKOFF_BASE_S = 2,		/* before the second attempt; doubles */
	BACKOFF_MAX_S = 300,
	RESULT_MAX = 16 * 1024 * 1024,
	SUMMARY_CHARS = 200
};

struct reviewer {
	struct world w;
	bool have_world;
	struct log log;
	struct fold fold;
	const char *who, *reason;
	bool dry, json, quiet;
};

/* --- the stage --- */

/* Exponential back-off with full jitter, as wall time. */
static void
set_backoff(cJSON *event, int attempt)
{
	double cap = BACKOFF_BASE_S;
	char when[CLOCK_TEXT];

	for (int i = 1; i < attempt && cap < BACKOFF_MAX_S; i++)
		cap *= 2;
	if (cap > BACKOFF_MAX_S)
		cap = BACKOFF_MAX_S;
	clock_utc(clock_wall() + (double)rand_below((uint64_t)(cap * 1000)) / 1000, when);
	json_set_str(event, "not_before", when);
}

static void
add_verdict(cJSON *ev, const struct critic *v)
{
	json_set_str(ev, "review_verdict", v->verdict);
	json_set_num(ev, "review_confidence", v->confidence);
	json_set(ev, "review_issues", cJSON_Duplicate(v->issues, true));
	json_set(ev, "review_suggestions", cJSON_Duplicate(v->suggestions, true));
}

/* The final event repeats what a reader of the log wants to know of the result. */
static void
add_outcome(cJSON *ev, const cJSON *line)
{
	const cJSON *res = json_obj(line, "result");
	const char *text = json_str(res, "text") != NULL ? json_str(res, "text") : json_str(res, "stdout");
	char *summary;

	if (text != NULL && strcmp(json_str(ev, "status"), "approved") == 0) {
		summary = mem_ndup(text, utf8_prefix(text, strlen(text), SUMMARY_CHARS));
		for (char *p = summary; *p != '\0'; p++)
			if (*p == '\n')
				*p = ' ';
		json_set_str(ev, "result_summary", summary);
		free(summary);
	}
	if (json_get(res, "exit_code") != NULL)
		json_set(ev, "exit_code", cJSON_Duplicate(json_get(res, "exit_code"), true));
	if (json_str(res, "sha256") != NULL)
		json_set_str(ev, "result_sha256", json_str(res, "sha256"));
}

static cJSON *
end_rejected(cJSON *line, const struct critic *v, int attempt)
{
	const char *first = cJSON_GetStringValue(cJSON_GetArrayItem(v->issues, 0));
	char *reason = mem_fmt("rejected by review: %s", first != NULL ? first : "no reason given");
	cJSON *ev;

	if (attempt < task_max_attempts(line)) {
		ev = stage_final(line, "requeue", reason);
		set_backoff(ev, attempt);
	} else {
		ev = stage_final(line, "failed", reason);
	}
	free(reason);
	return ev;
}

static int
review_line(cJSON *line, void *arg, struct err *e)
{
	struct reviewer *r = arg;
	const char *how = json_str(line, "review_by") != NULL ? json_str(line, "review_by") :
	    json_str(line, "review");
	int attempt = (int)json_num(json_obj(line, "claim"), "attempt", 1);
	bool waits = how != NULL && strcmp(how, "critic") != 0;
	struct critic v;
	cJSON *ev, *note;

	(void)e;
	if (strcmp(stage_status(line), "completed") != 0)
		return 0;
	critic_review(r->have_world ? &r->w : NULL, line, &v);
	ev = stage_event(line, "pending_review");
	add_verdict(ev, &v);
	json_set_num(ev, "review_attempt", attempt);
	if (waits) {
		json_set_str(ev, "reason", strcmp(how, "human") == 0 ? "waits for a person" :
		    "waits for a person: no jury and no model review here");
		json_set_bool(ev, "final", true);
		add_outcome(ev, line);
	} else {
		ev = v.accepted ? stage_final(line, "approved", NULL) : end_rejected(line, &v, attempt);
		add_outcome(ev, line);
		add_verdict(ev, &v);
	}
	note = json_new();
	json_set_str(note, "verdict", v.verdict);
	json_set_num(note, "confidence", v.confidence);
	json_set(note, "issues", cJSON_Duplicate(v.issues, true));
	json_set_num(note, "attempt", attempt);
	if (how != NULL)
		json_set_str(line, "review_by", how);
	json_set(line, "review", note);
	critic_free(&v);
	return 0;
}

/* --- the verbs --- */

struct authors {
	const char *id, *who;
	bool wrote;
};

static int
look_for_author(const struct log_line *line, void *arg)
{
	struct authors *a = arg;
	struct scan obj = scan_text(line->p, line->len), task;

	if (!scan_eq(scan_get(obj, "task_id"), a->id))
		return 0;
	task = scan_get(obj, "task");
	if ((scan_eq(scan_get(obj, "status"), "in_progress") &&
	    (scan_eq(scan_get(obj, "resident_id"), a->who) || scan_eq(scan_get(obj, "identity_id"), a->who))) ||
	    scan_eq(scan_get(task, "author_id"), a->who))
		a->wrote = true;
	return 0;
}

/* Nobody reviews what he wrote: any attempt of the task counts. */
static int
check_author(struct reviewer *r, const char *id, struct err *e)
{
	struct authors a = {id, r->who, false};
	struct log all;
	int rc = log_open(&all, &r->w, e);

	if (rc == 0)
		rc = log_read(&all, look_for_author, &a, e);
	log_close(&all);
	if (rc == 0 && a.wrote)
		rc = err_set(e, VIV_REFUSED, "'%s' worked on '%s' and cannot review it", r->who, id);
	return rc;
}

/* The task line of the waiting attempt, from its result file, checked against the log. */
static int
rebuild(struct reviewer *r, const char *id, const struct fold_task *t, const cJSON *event, cJSON **line_out,
    struct err *e)
{
	char hash[FILE_SHA256];
	char *name = mem_fmt("%s/%s.%lld.json", WORLD_RESULTS, id, (long long)t->generation);
	const char *want = json_str(event, "result_sha256");
	struct buf text = {0};
	cJSON *file = NULL;
	int rc = file_read(r->w.fd, name, RESULT_MAX, &text, e);

	if (rc == -VIV_NO)
		rc = -VIV_CONFIG;
	if (rc == 0) {
		file_sha256(text.p, text.len, hash);
		if (want == NULL || strcmp(want, hash) != 0)
			rc = err_set(e, VIV_CONFIG, "'%s' is not the result that was logged: its SHA-256 differs", name);
		else if ((file = json_parse(text.p, text.len, e)) == NULL)
			rc = err_prefix(e, "'%s'", name);
	}
	if (rc == 0) {
		*line_out = json_obj(file, "task") != NULL ?
		    cJSON_DetachItemFromObjectCaseSensitive(file, "task") : json_new();
		json_set_str(*line_out, "id", id);
		for (const char *const *m = (const char *const[]){"claim", "result", NULL}; *m != NULL; m++)
			if (json_obj(file, *m) != NULL)
				json_set(*line_out, *m, cJSON_DetachItemFromObjectCaseSensitive(file, *m));
	}
	cJSON_Delete(file);
	buf_free(&text);
	free(name);
	return rc;
}

static cJSON *
decision(const struct reviewer *r, const char *status, const cJSON *waiting)
{
	cJSON *ev = json_new();

	json_set_str(ev, "status", status);
	if (r->reason != NULL)
		json_set_str(ev, "reason", r->reason);
	else
		json_set_str(ev, "reason", strcmp(status, "approved") == 0 ? "approved by a person" :
		    strcmp(status, "failed") == 0 ? "rejected by a person" : "sent back by a person");
	json_set_str(ev, "review_verdict", strcmp(status, "approved") == 0 ? "APPROVE" : "REJECT");
	if (json_str(waiting, "result_sha256") != NULL)
		json_set_str(ev, "result_sha256", json_str(waiting, "result_sha256"));
	if (r->reason != NULL && strcmp(status, "requeue") == 0) {
		json_set(ev, "review_issues", json_list());
		json_push(json_arr(ev, "review_issues"), cJSON_CreateString(r->reason));
	}
	return ev;
}

static int
print_approved(cJSON *line, struct err *e)
{
	json_set_str(line, "status", "approved");
	json_set_bool(line, "committed", true);
	return jsonl_write(STDOUT_FILENO, line, e);
}

static int
decide(struct reviewer *r, const char *id, const char *status, struct err *e)
{
	struct fold_task *t = fold_get(&r->fold, id);
	cJSON *waiting, *ev, *line = NULL;
	int rc;

	if (t == NULL)
		return err_set(e, VIV_NO, "'%s' is not in the log", id);
	if (t->status != TASK_PENDING_REVIEW || !t->final)
		return err_set(e, VIV_NO, "'%s' does not wait for a review: it is %s", id,
		    task_status_name((enum task_status)t->status));
	rc = check_author(r, id, e);
	if (rc != 0)
		return rc;
	waiting = fold_event(&r->fold, &r->log, t);
	if (strcmp(status, "approved") == 0)
		rc = rebuild(r, id, t, waiting, &line, e);
	if (rc == 0 && !r->dry) {
		ev = decision(r, status, waiting);
		rc = commit_decide(&r->log, id, r->who, t->generation, ev, NULL, e);
		cJSON_Delete(ev);
	}
	if (rc == 0 && line != NULL && !r->quiet)
		rc = print_approved(line, e);
	cJSON_Delete(line);
	cJSON_Delete(waiting);
	return rc;
}

static int
list(struct reviewer *r)
{
	long n = 0;

	for (size_t i = 0; i < r->fold.cap; i++) {
		const struct fold_task *t = r->fold.table[i];
		char age[CLOCK_TEXT];
		cJSON *ev;

		if (t == NULL || t->status != TASK_PENDING_REVIEW || !t->final)
			continue;
		n++;
		ev = fold_event(&r->fold, &r->log, t);
		clock_short(clock_wall() - t->when, age);
		if (r->json)
			jsonl_write(STDOUT_FILENO, ev, NULL);
		else
			printf("%-30s %4s  %-8s %s\n", t->id, age, json_str(ev, "review_verdict") != NULL ?
			    json_str(ev, "review_verdict") : "-", json_str(ev, "reason") != NULL ?
			    json_str(ev, "reason") : "");
		cJSON_Delete(ev);
	}
	return n > 0 ? 0 : VIV_NO;
}

static int
verbs(struct reviewer *r, int argc, char **argv)
{
	static const char *const verb[][2] = {{"approve", "approved"}, {"reject", "failed"},
	    {"requeue", "requeue"}};
	const char *status = NULL;
	struct err e = {0};
	int worst = 0;

	if (log_open(&r->log, &r->w, &e) != 0 || fold_read(&r->fold, &r->log, true, &e) != 0)
		err_die(&e);
	if (strcmp(argv[0], "list") == 0 && argc == 1)
		return list(r);
	for (size_t i = 0; i < 3; i++)
		if (strcmp(argv[0], verb[i][0]) == 0)
			status = verb[i][1];
	if (status == NULL)
		opt_usage("'%s' is not approve, reject, requeue or list", argv[0]);
	if (argc < 2)
		opt_usage("%s what? name an id", argv[0]);
	for (int i = 1; i < argc; i++) {
		int rc = decide(r, argv[i], status, &e);

		if (rc != 0)
			err_warn("%s", e.msg);
		if (-rc > worst)
			worst = -rc;
	}
	return worst;
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
	struct err e = {0};
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
	if (r.who == NULL)
		r.who = human;
	r.have_world = world_open(&r.w, opt_world, &e) == 0;
	if (!r.have_world && (optind < argc || opt_world != NULL || getenv("VIV_ROOT") != NULL))
		err_die(&e);
	rc = optind < argc ? verbs(&r, argc - optind, argv + optind) : stage_run(review_line, &r);
	free(human);
	return opt_end(rc);
}
