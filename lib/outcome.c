/*
 * outcome: the event that ends an attempt after a verdict.
 *
 * Rules, a second model and a jury end an attempt in the same way: accepted work is
 * approved; rejected work is tried again, later each time, by somebody who is told the
 * issues, until no attempt is left.
 */
#include "outcome.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "clock.h"
#include "json.h"
#include "rand.h"
#include "stage.h"
#include "task.h"
#include "utf8.h"

enum {
	BACKOFF_BASE_S = 2,		/* before the second attempt; doubles */
	BACKOFF_MAX_S = 300,
	SUMMARY_CHARS = 200
};

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

void
outcome_verdict(cJSON *ev, const struct critic *v)
{
	json_set_str(ev, "review_verdict", v->verdict);
	json_set_num(ev, "review_confidence", v->confidence);
	json_set(ev, "review_issues", cJSON_Duplicate(v->issues, true));
}

void
outcome_result(cJSON *ev, const cJSON *line)
{
	const cJSON *res = json_obj(line, "result");
	const char *text = json_str(res, "text");
	char *summary;

	if (text == NULL)
		text = json_str(res, "stdout");
	if (text != NULL) {
		summary = mem_ndup(text, utf8_prefix(text, strlen(text), SUMMARY_CHARS));
		for (char *p = summary; *p != '\0'; p++)
			if ((unsigned char)*p < ' ' || *p == 0x7f)
				*p = ' ';
		json_set_str(ev, "result_summary", summary);
		free(summary);
	}
	if (json_get(res, "exit_code") != NULL)
		json_set(ev, "exit_code", cJSON_Duplicate(json_get(res, "exit_code"), true));
	if (json_str(res, "sha256") != NULL)
		json_set_str(ev, "result_sha256", json_str(res, "sha256"));
}

void
outcome_note(cJSON *line, const struct critic *v, int attempt, const char *by)
{
	cJSON *note = json_new();

	json_set_str(note, "verdict", v->verdict);
	json_set_num(note, "confidence", v->confidence);
	json_set(note, "issues",
	    v->issues != NULL ? cJSON_Duplicate(v->issues, true) : json_list());
	if (attempt > 0)
		json_set_num(note, "attempt", attempt);
	if (by != NULL)
		json_set_str(note, "by", by);
	json_set(line, "review", note);
}

static cJSON *
end_rejected(cJSON *line, const struct critic *v, int attempt, const char *by)
{
	const char *first = cJSON_GetStringValue(cJSON_GetArrayItem(v->issues, 0));
	struct buf all = {0};
	const cJSON *item;
	char *reason;
	cJSON *ev;

	if (attempt >= task_max_attempts(line)) {
		reason = mem_fmt(
		    "rejected by %s: %s", by, first != NULL ? first : "no reason");
		ev = stage_final(line, "failed", reason);
		free(reason);
		return ev;
	}
	reason = mem_fmt("rejected by %s", by);
	ev = stage_final(line, "requeue", reason);
	free(reason);
	set_backoff(ev, attempt);
	cJSON_ArrayForEach(item, v->issues) {
		buf_str(&all, all.len > 0 ? "; " : "");
		buf_str(&all, item->valuestring);
	}
	json_set_str(ev, "errors", all.p);
	buf_free(&all);
	return ev;
}

cJSON *
outcome_end(cJSON *line, const struct critic *v, int attempt, const char *by)
{
	cJSON *ev = v->accepted ? stage_final(line, "approved", NULL) :
	    end_rejected(line, v, attempt, by);

	outcome_verdict(ev, v);
	return ev;
}
