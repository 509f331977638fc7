/*
 * judge: a second model reviews work that waits for one.
 *
 * The work has ended its attempt and holds no claim, so nothing stands still while the
 * model thinks, and a crash loses a call at most. One process judges in a world at a
 * time. It runs viv-llm (or $VIV_LLM) beside it, one task line in, the same line
 * with a result out, and follows the answer in two steps:
 *
 *   1. the verdict is appended to the votes and synced (lib/votes.c);
 *   2. it takes the task's next slot like everybody who decides (lib/decide.c).
 *
 * A crash between them is finished by the next one without another call. No verdict
 * that counts (lib/verdict.c), no money, a refusal: that is recorded too, and from then
 * on a person is waited for. A network that fails, a limit on the rate, a halt: nothing
 * is recorded, and the model is asked again later.
 */
#include "judge.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "clock.h"
#include "file.h"
#include "halt.h"
#include "json.h"
#include "price.h"
#include "reaper.h"
#include "task.h"
#include "verdict.h"
#include "votes.h"

#define JUDGE_LOCK WORLD_MUTABLE "/.review_judge.lock"
#define PROMPT "prompts/review.txt"

enum {
	PROMPT_MAX = 64 * 1024,
	ANSWER_TOKENS = 1024,
	CALL_S = 60,			/* what the model has, with retries, */
	GRACE_S = 15			/* and its program to say so */
};

/* --- starting --- */

int
judge_open(struct judge *j, const struct world *w, struct err *e)
{
	char *path = world_share(PROMPT);
	struct buf text = {0};
	int rc;

	*j = (struct judge){.w = w, .lock = {.fd = -1}};
	model_open(&j->model, w, 1);
	if (path == NULL)
		return err_set(e, VIV_CONFIG, "share/%s is missing", PROMPT);
	rc = file_read(AT_FDCWD, path, PROMPT_MAX, &text, e);
	free(path);
	if (rc == 0)
		rc = reaper_start(e);
	if (rc == 0)
		rc = lock_open(&j->lock, w->fd, JUDGE_LOCK, e);
	if (rc == 0)
		rc = lock_take(&j->lock, 0, e);
	j->system = buf_take(&text);
	if (rc != 0)
		judge_close(j);
	return rc;
}

void
judge_close(struct judge *j)
{
	model_close(&j->model);
	lock_close(&j->lock);
	free(j->system);
	j->system = NULL;
}

/* --- one task --- */

static const char *
work_of(const cJSON *line)
{
	const cJSON *res = json_obj(line, "result");
	const char *text = json_str(res, "text");

	if (text == NULL)
		text = json_str(res, "stdout");
	return text != NULL ? text : "";
}

/*
 * Another model than the one that did the work, of the same provider: $VIV_REVIEW_MODEL,
 * else the first such in the price list. NULL: whatever answers.
 */
static char *
other_model(const struct world *w, const cJSON *line)
{
	const cJSON *res = json_obj(line, "result");
	const char *own = json_str(res, "model"), *provider = json_str(res, "provider");
	const char *wish = getenv("VIV_REVIEW_MODEL");
	struct price_list *l = NULL;
	const struct price_model *author;
	struct err unheard;
	char *found = NULL;

	if (wish != NULL && *wish != '\0')
		return mem_dup(wish);
	if (own == NULL || price_load(w, &l, &unheard) != 0)
		return NULL;
	author = price_find(l, own);
	for (size_t i = 0; i < l->n && found == NULL; i++) {
		const struct price_model *m = &l->v[i];
		bool here = m->provider == NULL || provider == NULL ||
		    strcmp(m->provider, provider) == 0;

		if (m != author && m->allowed && here && (m->priced || l->allow_unpriced))
			found = mem_dup(m->id);
	}
	price_free(l);
	return found;
}

static cJSON *
make_request(const struct judge *j, const char *id, int64_t generation, const cJSON *line)
{
	const char *task = task_prompt(line);
	char *model = other_model(j->w, line), *ref = mem_fmt("%s.%lld", id, (long long)generation);
	cJSON *r = json_new();
	struct buf ask = {0};

	if (task_is_local(line) || task == NULL)
		task = task_command(line);
	verdict_ask(&ask, task != NULL ? task : "", work_of(line));
	json_set_str(r, "id", id);
	json_set_str(r, "ref", ref);
	json_set_str(r, "system", j->system);
	json_set_str(r, "prompt", ask.p);
	if (model != NULL)
		json_set_str(r, "model", model);
	json_set_num(r, "max_tokens", ANSWER_TOKENS);
	json_set_num(r, "temperature", 0);
	json_set_num(r, "timeout", CALL_S);
	if (json_get(line, "max_budget") != NULL)
		json_set(r, "max_budget", cJSON_Duplicate(json_get(line, "max_budget"), true));
	buf_free(&ask);
	free(model);
	free(ref);
	return r;
}

/* What may pass by itself is not the model's word: -VIV_UNAVAILABLE. */
static int
failure(const cJSON *result, struct err *e)
{
	static const char *const passing[] = {"transient", "rate", "halted", "interrupted"};
	const cJSON *error = json_obj(result, "error");
	const char *class = json_str(error, "class"), *message = json_str(error, "message");

	if (message == NULL)
		message = "it failed without a reason";
	for (size_t i = 0; class != NULL && i < sizeof(passing) / sizeof(passing[0]); i++)
		if (strcmp(class, passing[i]) == 0)
			return err_set(e, VIV_UNAVAILABLE, "the model cannot be asked now: %.500s",
			    message);
	return err_set(e, VIV_NO, "the model gave no answer: %.500s", message);
}

/* Ask: 0 and the verdict; -VIV_NO when a person has to. *model_out: who answered. */
static int
ask(struct judge *j, const char *id, int64_t generation, const cJSON *line, struct critic *v,
    char **model_out, struct err *e)
{
	cJSON *request, *answer;
	const cJSON *result;
	const char *status;
	int rc;

	if (strlen(work_of(line)) > VERDICT_WORK_MAX)
		return err_set(e, VIV_NO, "the work is longer than the %d bytes a model is shown",
		    VERDICT_WORK_MAX);
	request = make_request(j, id, generation, line);
	rc = model_call(&j->model, j->w, request, CALL_S + GRACE_S, &answer, e);
	cJSON_Delete(request);
	if (rc != 0)
		return rc;
	result = json_obj(answer, "result");
	status = json_str(result, "status");
	if (json_str(result, "model") != NULL) {
		free(*model_out);
		*model_out = mem_fmt("model:%s", json_str(result, "model"));
	}
	if (status == NULL || strcmp(status, "completed") != 0)
		rc = failure(result, e);
	else if (json_str(result, "text") == NULL)
		rc = err_set(e, VIV_NO, "the model's answer is empty");
	else
		rc = verdict_parse(json_str(result, "text"), work_of(line), v, e);
	cJSON_Delete(answer);
	return rc;
}

/* Step 1: what came of asking. why: NULL for a verdict. */
static int
record(const struct judge *j, const char *id, int64_t generation, const char *model,
    const struct critic *v, const char *why, struct err *e)
{
	cJSON *r = votes_record(id, generation, "model", model);
	struct lock lock;
	int rc;

	json_set_str(r, "vote", why != NULL ? NULL : v->accepted ? "approve" : "reject");
	if (why == NULL) {
		json_set_str(r, "verdict", v->verdict);
		json_set_num(r, "confidence", v->confidence);
		json_set(r, "issues", cJSON_Duplicate(v->issues, true));
		json_set(r, "suggestions", cJSON_Duplicate(v->suggestions, true));
	} else {
		json_set_str(r, "reason", why);
	}
	rc = votes_take(&lock, j->w, e);
	if (rc == 0) {
		rc = votes_append(j->w, r, e);
		votes_drop(&lock);
	}
	cJSON_Delete(r);
	return rc;
}

/* Step 2, from the record: 1, or an error. */
static int
follow(const struct decide *d, const char *id, const cJSON *record, cJSON **line_out,
    struct err *e)
{
	static const char *const words[] = {"APPROVE", "MINOR_ISSUES", "REJECT"};
	const char *word = json_str(record, "verdict"), *vote = json_str(record, "vote");
	struct critic v = {.verdict = "REJECT", .issues = json_list(),
	    .suggestions = json_list()};
	struct decide by = *d;
	int rc;

	for (size_t i = 0; word != NULL && i < 3; i++)
		if (strcmp(word, words[i]) == 0)
			v.verdict = words[i];
	v.accepted = strcmp(vote, "approve") == 0 && strcmp(v.verdict, "REJECT") != 0;
	v.confidence = json_num(record, "confidence", 0);
	for (int i = 0; i < 2; i++) {
		cJSON *to = i == 0 ? v.issues : v.suggestions;
		const cJSON *item;

		cJSON_ArrayForEach(item, json_arr(record, i == 0 ? "issues" : "suggestions")) {
			if (cJSON_IsString(item))
				json_push(to, cJSON_CreateString(item->valuestring));
		}
	}
	by.who = json_str(record, "voter");
	if (by.who == NULL)
		by.who = "model:unknown";
	rc = decide_verdict(&by, id, &v, line_out, e);
	critic_free(&v);
	return rc != 0 ? rc : 1;
}

static int
judge_waiting(struct judge *j, const struct decide *d, const char *id, int64_t generation,
    const cJSON *waiting, cJSON **line_out, struct err *e)
{
	char *model = mem_dup("model:unknown");
	cJSON *line = NULL, *records = NULL;
	struct critic v = {0};
	char why[200];
	int rc;

	if (halt_on(j->w, why, sizeof(why)))
		rc = err_set(e, VIV_REFUSED, "halted: %s", why);
	else
		rc = decide_rebuild(j->w, id, waiting, &line, e);
	if (rc == 0) {
		rc = ask(j, id, generation, line, &v, &model, e);
		if (rc == -VIV_NO) {
			struct err told = *e;

			rc = record(j, id, generation, model, NULL, told.msg, e);
			if (rc == 0)
				rc = err_set(e, VIV_NO, "'%s' waits for a person: %.900s", id,
				    told.msg);
		} else if (rc == 0) {
			rc = record(j, id, generation, model, &v, NULL, e);
			critic_free(&v);
			if (rc == 0)
				rc = votes_read(j->w, id, generation, &records, e);
			if (rc == 0)
				rc = follow(d, id, votes_verdict(records), line_out, e);
		}
	}
	cJSON_Delete(records);
	cJSON_Delete(line);
	free(model);
	return rc;
}

int
judge_task(struct judge *j, const struct decide *d, const char *id, bool named, cJSON **line_out,
    struct err *e)
{
	const struct fold_task *t;
	cJSON *waiting, *records = NULL;
	const char *by;
	int rc = fold_read(d->fold, d->log, false, e);

	*line_out = NULL;
	if (rc != 0)
		return rc;
	t = fold_get(d->fold, id);
	if (!decide_waits(t))
		return named ? err_set(e, VIV_NO, "'%s' does not wait for a review", id) : 0;
	waiting = fold_event(d->fold, d->log, t);
	by = json_str(waiting, "review_by");
	if (by == NULL || strcmp(by, "model") != 0)
		rc = named ? err_set(e, VIV_NO, "'%s' waits for no model", id) : 0;
	else
		rc = votes_read(d->w, id, t->generation, &records, e);
	if (rc == 0 && votes_verdict(records) != NULL)
		rc = d->dry ? 0 : follow(d, id, votes_verdict(records), line_out, e);
	else if (rc == 0 && records != NULL && !d->dry &&
	    (named || votes_turn(waiting, records, clock_wall(), NULL) == VOTES_BY_MODEL))
		rc = judge_waiting(j, d, id, t->generation, waiting, line_out, e);
	cJSON_Delete(records);
	cJSON_Delete(waiting);
	return rc;
}
