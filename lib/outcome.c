/*
 * outcome: the event that ends an attempt after a verdict.
 *
 * Rules, a second model and a jury end an attempt in the same way: accepted work is
 * approved; rejected work is tried again, later each time, by somebody who is told the
 * issues, until no attempt is left.
 */
#include "outcome.h"

#include <stdlib.h>

#include "attempt.h"
#include "backoff.h"
#include "buf.h"
#include "json.h"
#include "stage.h"
#include "task.h"

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
	backoff_set(ev, backoff_s(attempt));
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
