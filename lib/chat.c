/*
 * chat: the body of a chat completion, and the answer to it.
 *
 * There are two messages, because some servers' templates insist on alternating roles.
 * Providers cache what requests have in common from the first byte on, so what is stable
 * comes first: the system text, the line's own system text, the context in its order; then
 * the task, what was wrong with the attempt before, and last the note (id, clock), which
 * differs every time. The order of members is fixed for the same reason.
 *
 * Context is others' text: each piece is put between tags, and what looks like the end
 * tag inside it is broken.
 *
 * Answers pass the fence of json_parse. An answer counts as whole only with a reason to
 * have finished or the stream's last word; what was received until then stays in text.
 */
#include "chat.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "json.h"
#include "utf8.h"

enum { ISSUES_MAX = 20 };

/* text, with every "</context" made harmless. */
static void
add_fenced(struct buf *b, const char *text)
{
	static const char end[] = "</context";

	for (; *text != '\0'; text++) {
		buf_char(b, *text);
		if (strncasecmp(text, end, sizeof(end) - 1) == 0)
			buf_char(b, '\\');
	}
}

static void
add_context(struct buf *b, const char *name, const char *text)
{
	buf_str(b, "<context");
	if (name != NULL) {
		buf_str(b, " name=\"");
		for (; *name != '\0'; name++)
			buf_char(b, strchr("\"<>\n\r", *name) != NULL ? '_' : *name);
		buf_char(b, '"');
	}
	buf_str(b, ">\n");
	add_fenced(b, text);
	buf_str(b, "\n</context>\n\n");
}

static void
add_contexts(struct buf *b, const cJSON *line)
{
	const cJSON *v = json_get(line, "context"), *item;

	if (cJSON_IsString(v) && *v->valuestring != '\0')
		add_context(b, NULL, v->valuestring);
	if (!cJSON_IsArray(v))
		return;
	cJSON_ArrayForEach(item, v) {
		const char *text =
		    cJSON_IsString(item) ? item->valuestring : json_str(item, "text");

		if (text != NULL && *text != '\0')
			add_context(b, json_str(item, "name"), text);
	}
}

/* What the reviewer said about the attempt before; it may quote the answer. What ended
 * without a review (interrupted, a server that was down) teaches nothing. */
static void
add_previous(struct buf *b, const cJSON *line)
{
	const cJSON *prev = json_obj(line, "previous"), *issues, *item;
	const char *reason = json_str(prev, "reason");
	struct buf list = {0};
	int n = 0;

	issues = json_arr(prev, "review_issues");
	cJSON_ArrayForEach(item, issues) {
		const char *text =
		    cJSON_IsString(item) ? item->valuestring : json_str(item, "text");

		if (text != NULL && *text != '\0' && n++ < ISSUES_MAX)
			buf_fmt(&list, "- %s\n", text);
	}
	if (n == 0 && json_str(prev, "review_verdict") != NULL && reason != NULL && *reason != '\0')
		buf_fmt(&list, "- %s\n", reason);
	if (list.len > 0) {
		buf_str(b,
		    "\n\nAn attempt before this one was not accepted. The reviewer's words:\n");
		add_context(b, "review", list.p);
		b->len -= 2;	/* its blank line */
		b->p[b->len] = '\0';
		buf_str(b, "\nAvoid these faults.");
	}
	buf_free(&list);
}

void
chat_texts(struct chat_ask *a, const char *base, const char *prompt, const cJSON *line)
{
	const char *own = json_str(line, "system");
	struct buf b = {0};

	buf_str(&b, base);
	while (b.len > 0 && b.p[b.len - 1] == '\n')
		b.p[--b.len] = '\0';
	if (own != NULL && *own != '\0')
		buf_fmt(&b, "%s%s", b.len > 0 ? "\n\n" : "", own);
	a->system = buf_take(&b);
	b = (struct buf){0};
	add_contexts(&b, line);
	buf_str(&b, prompt);
	add_previous(&b, line);
	a->user = buf_take(&b);
}

void
chat_ask_free(struct chat_ask *a)
{
	free(a->system);
	free(a->user);
	free(a->note);
	cJSON_Delete(a->response_format);
	*a = (struct chat_ask){0};
}

static void
add_message(cJSON *list, const char *role, const char *content)
{
	cJSON *m = json_new();

	json_set_str(m, "role", role);
	json_set_str(m, "content", content);
	json_push(list, m);
}

static cJSON *
request(const struct chat_ask *a, const char *model, const char *tokens_member, const char *note)
{
	cJSON *body = json_new(), *messages = json_list();
	char *user = *note != '\0' ? mem_fmt("%s\n\n%s", a->user, note) : mem_dup(a->user);

	if (*a->system != '\0')
		add_message(messages, "system", a->system);
	add_message(messages, "user", user);
	json_set_str(body, "model", model);
	json_set(body, "messages", messages);
	json_set_num(body, tokens_member, a->max_tokens);
	json_set_num(body, "temperature", a->temperature);
	if (a->response_format != NULL)
		json_set(body, "response_format", cJSON_Duplicate(a->response_format, true));
	free(user);
	return body;
}

char *
chat_body(const struct chat_ask *a, const char *model, const char *tokens_member, bool stream)
{
	cJSON *body = request(a, model, tokens_member, a->note != NULL ? a->note : "");
	char *text;

	json_set_bool(body, "stream", stream);
	if (stream) {
		cJSON *options = json_new();

		json_set_bool(options, "include_usage", true);
		json_set(body, "stream_options", options);
	}
	text = json_text(body);
	cJSON_Delete(body);
	return text;
}

char *
chat_essence(const struct chat_ask *a, const char *model)
{
	cJSON *body = request(a, model, "max_tokens", "");
	char *text = json_text(body);

	cJSON_Delete(body);
	return text;
}

/* s made fit for one line of at most size - 1 bytes. */
static void
keep(char *dst, size_t size, const char *s)
{
	if (s != NULL)
		utf8_printable(dst, size, s, strlen(s));
}

static long
count(const cJSON *obj, const char *name)
{
	double v = json_num(obj, name, 0);

	return v >= 0 && v <= 1e9 ? (long)ceil(v) : 0;
}

static void
take_usage(struct chat_answer *a, const cJSON *u)
{
	if (!cJSON_IsObject(u) || !cJSON_IsNumber(json_get(u, "prompt_tokens")))
		return;
	a->usage = true;
	a->input = count(u, "prompt_tokens");
	a->output = count(u, "completion_tokens");
	a->total = count(u, "total_tokens");
	if (a->total < a->input + a->output)
		a->total = a->input + a->output;
	a->cached = count(json_obj(u, "prompt_tokens_details"), "cached_tokens");
	if (a->cached > a->input)
		a->cached = a->input;
}

/* {"error":{"message":..,"code":..}}, or {"error":"text"}. */
static bool
take_error(struct chat_answer *a, const cJSON *v)
{
	const cJSON *err = json_get(v, "error");
	const char *text = cJSON_IsString(err) ? err->valuestring : json_str(err, "message");
	double status = json_num(err, "status", json_num(err, "code", -1));

	if (err == NULL || cJSON_IsNull(err))
		return false;
	a->error = status >= 400 && status < 600 ? (int)status : -1;
	keep(a->message, sizeof(a->message), text != NULL ? text : "an error without a message");
	return true;
}

/* Content is a string, or a list of parts with text. */
static int
take_text(struct chat_answer *a, const cJSON *content, struct err *e)
{
	const cJSON *part;

	if (cJSON_IsString(content))
		buf_str(&a->text, content->valuestring);
	if (cJSON_IsArray(content))
		cJSON_ArrayForEach(part, content) {
			const char *text = json_str(part, "text");

			if (text != NULL)
				buf_str(&a->text, text);
		}
	if (a->text.len > CHAT_TEXT_MAX)
		return err_set(e, VIV_NO, "the answer is longer than 512 KiB");
	return 0;
}

static int
take(struct chat_answer *a, const char *s, size_t n, const char *part, struct err *e)
{
	cJSON *v = json_parse(s, n, e);
	const cJSON *choice;
	int rc = 0;

	if (v == NULL)
		return -VIV_CONFIG;
	if (!cJSON_IsObject(v)) {
		cJSON_Delete(v);
		return err_set(e, VIV_CONFIG, "not a JSON object");
	}
	keep(a->model, sizeof(a->model), json_str(v, "model"));
	keep(a->id, sizeof(a->id), json_str(v, "id"));
	take_usage(a, json_get(v, "usage"));
	take_usage(a, json_get(json_obj(v, "x_groq"), "usage"));
	choice = cJSON_GetArrayItem(json_arr(v, "choices"), 0);
	if (!take_error(a, v) && choice != NULL && json_num(choice, "index", 0) == 0) {
		keep(a->finish, sizeof(a->finish), json_str(choice, "finish_reason"));
		rc = take_text(a, json_get(json_obj(choice, part), "content"), e);
	}
	cJSON_Delete(v);
	return rc;
}

int
chat_event(struct chat_answer *a, const char *data, size_t n, struct err *e)
{
	if (strncmp(data, "[DONE]", 6) == 0) {
		a->done = true;
		return 0;
	}
	return take(a, data, n, "delta", e);
}

int
chat_whole(struct chat_answer *a, const char *body, size_t n, struct err *e)
{
	int rc = take(a, body, n, "message", e);

	a->done = rc == 0;
	return rc;
}

const char *
chat_fault(const struct chat_answer *a)
{
	if (a->error != 0)
		return "server_error";
	if (!a->done && a->finish[0] == '\0')
		return "truncated";
	if (strcmp(a->finish, "length") == 0)
		return "length";
	if (strcmp(a->finish, "content_filter") == 0)
		return "content_filter";
	if (a->text.len == 0 || strspn(a->text.p, " \t\r\n") == a->text.len)
		return "empty";
	return NULL;
}

void
chat_answer_free(struct chat_answer *a)
{
	buf_free(&a->text);
	*a = (struct chat_answer){0};
}
