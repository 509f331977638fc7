/*
 * judge: a second model reviews work that waits for one.
 *
 * The work has ended its attempt and holds no claim, so nothing stands still while the
 * model thinks, and a crash loses a call at most. One process judges in a world at a
 * time. It runs viv-llm (or $VIV_LLM) as a companion, one task line in, the same line
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

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "buf.h"
#include "clock.h"
#include "file.h"
#include "halt.h"
#include "json.h"
#include "task.h"
#include "verdict.h"
#include "votes.h"

#define JUDGE_LOCK WORLD_MUTABLE "/.review_judge.lock"
#define PROMPT "prompts/review.txt"

enum {
	PROMPT_MAX = 64 * 1024,
	ANSWER_TOKENS = 1024,
	CALL_S = 60,			/* what the model has, with retries, */
	GRACE_S = 15,			/* and its program to say so */
	TICK_MS = 1000
};

/* --- the companion --- */

int
judge_open(struct judge *j, const struct world *w, struct err *e)
{
	char *path = world_share(PROMPT);
	struct buf text = {0};
	int rc;

	*j = (struct judge){.w = w, .lock = {.fd = -1}, .to = -1, .from = {.fd = -1}};
	if (path == NULL)
		return err_set(e, VIV_CONFIG, "share/%s is missing", PROMPT);
	rc = file_read(AT_FDCWD, path, PROMPT_MAX, &text, e);
	free(path);
	if (rc == 0)
		rc = lock_open(&j->lock, w->fd, JUDGE_LOCK, e);
	if (rc == 0)
		rc = lock_take(&j->lock, 0, e);
	j->system = buf_take(&text);
	if (rc != 0)
		judge_close(j);
	return rc;
}

static void
stop(struct judge *j)
{
	if (j->to >= 0)
		close(j->to);
	if (j->from.fd >= 0)
		close(j->from.fd);
	jsonl_free(&j->from);
	j->from = (struct jsonl){.fd = -1};
	j->to = -1;
	if (j->pid > 0) {
		kill(j->pid, SIGTERM);
		for (int i = 0; i < 20 && waitpid(j->pid, NULL, WNOHANG) == 0; i++) {
			clock_sleep_ms(100);
			if (i == 19) {
				kill(j->pid, SIGKILL);
				waitpid(j->pid, NULL, 0);
			}
		}
	}
	j->pid = 0;
}

void
judge_close(struct judge *j)
{
	stop(j);
	lock_close(&j->lock);
	free(j->system);
	j->system = NULL;
}

static _Noreturn void
become(const char *program, int in, int out, pid_t parent)
{
	char *argv[] = {(char *)(uintptr_t)program, (char[]){"-j"}, (char[]){"1"},
	    (char[]){"-l"}, NULL};

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent || dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0)
		_exit(VIV_NOEXEC);
	signal(SIGPIPE, SIG_DFL);
	execvp(program, argv);
	_exit(VIV_NOTFOUND);
}

static int
start(struct judge *j, struct err *e)
{
	const char *program = getenv("VIV_LLM");
	int in[2], out[2] = {-1, -1};
	pid_t parent = getpid();

	if (j->pid > 0)
		return 0;
	if (program == NULL || *program == '\0')
		program = "viv-llm";
	if (pipe2(in, O_CLOEXEC) != 0)
		return err_sys(e, VIV_IO, "cannot start '%s'", program);
	if (pipe2(out, O_CLOEXEC) == 0 && (j->pid = fork()) == 0)
		become(program, in[0], out[1], parent);
	close(in[0]);
	if (out[1] >= 0)
		close(out[1]);
	j->to = in[1];
	j->from = (struct jsonl){.fd = out[0]};
	if (j->pid <= 0) {
		err_sys(e, VIV_IO, "cannot start '%s'", program);
		j->pid = 0;
		stop(j);
		return -VIV_IO;
	}
	return 0;
}

static int
gone(struct judge *j, struct err *e)
{
	stop(j);
	return err_set(e, VIV_UNAVAILABLE, "no model can be asked: '%s' has ended",
	    getenv("VIV_LLM") != NULL ? getenv("VIV_LLM") : "viv-llm");
}

/* The next line it writes. */
static int
receive(struct judge *j, cJSON **out, struct err *e)
{
	int64_t until = clock_boot_ns() + (int64_t)(CALL_S + GRACE_S) * 1000000000;
	char why[200];

	while ((*out = jsonl_next(&j->from)) == NULL) {
		struct pollfd p = {.fd = j->from.fd, .events = POLLIN};

		if (j->from.eof)
			return gone(j, e);
		if (halt_on(j->w, why, sizeof(why))) {
			stop(j);
			return err_set(e, VIV_REFUSED, "halted: %s", why);
		}
		if (clock_boot_ns() > until) {
			stop(j);
			return err_set(e, VIV_UNAVAILABLE, "the model did not answer in %d s",
			    CALL_S + GRACE_S);
		}
		if (poll(&p, 1, TICK_MS) > 0 && jsonl_fill(&j->from, e) < 0)
			return gone(j, e);
	}
	return 0;
}

/* Send a line, get it back with its result. */
static int
call(struct judge *j, const cJSON *request, cJSON **out, struct err *e)
{
	const char *want = json_str(request, "ref"), *ref;
	void (*old)(int);
	int rc = start(j, e);

	*out = NULL;
	if (rc != 0)
		return rc;
	old = signal(SIGPIPE, SIG_IGN);
	rc = jsonl_write(j->to, request, e);
	signal(SIGPIPE, old);
	if (rc != 0)
		return gone(j, e);
	while ((rc = receive(j, out, e)) == 0) {
		ref = json_str(*out, "ref");
		if (ref != NULL && strcmp(ref, want) == 0)
			return 0;
		cJSON_Delete(*out);
		*out = NULL;
	}
	return rc;
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

static cJSON *
make_request(const struct judge *j, const char *id, int64_t generation, const cJSON *line)
{
	const char *task = task_prompt(line), *model;
	char *ref = mem_fmt("%s.%lld", id, (long long)generation);
	cJSON *r = json_new();
	struct buf ask = {0};

	if (task_is_local(line) || task == NULL)
		task = task_command(line);
	verdict_ask(&ask, task != NULL ? task : "", work_of(line));
	json_set_str(r, "id", id);
	json_set_str(r, "ref", ref);
	json_set_str(r, "system", j->system);
	json_set_str(r, "prompt", ask.p);
	model = getenv("VIV_REVIEW_MODEL");
	if (model != NULL && *model != '\0')
		json_set_str(r, "model", model);
	json_set_num(r, "max_tokens", ANSWER_TOKENS);
	json_set_num(r, "temperature", 0);
	json_set_num(r, "timeout", CALL_S);
	if (json_get(line, "max_budget") != NULL)
		json_set(r, "max_budget", cJSON_Duplicate(json_get(line, "max_budget"), true));
	buf_free(&ask);
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
	rc = call(j, request, &answer, e);
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
