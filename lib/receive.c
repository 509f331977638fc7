/*
 * receive: the answer to one request while it arrives.
 *
 * Status and type say how to read it: 200 as text/event-stream is read event by event, any
 * other 200 is a whole body of JSON, whatever type it claims, and of a refusal so much is
 * kept as its message may take. Everything is bounded. A stream that has said its last word
 * is whole even when the connection ends badly afterwards.
 */
#include "receive.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { REFUSAL_KEPT = 64 * 1024, REFUSAL_MAX = 1024 * 1024 };

static int
on_event(const char *data, size_t n, void *arg, struct err *e)
{
	struct receive *r = arg;
	size_t before = r->answer.text.len;
	int rc;

	if (r->answer.done)
		return 0;
	rc = chat_event(&r->answer, data, n, e);
	if (r->answer.text.len > before && r->text != NULL) {
		r->text(r->answer.text.p + before, r->answer.text.len - before, r->arg);
		r->shown = true;
	}
	return rc;
}

static int
stop(struct receive *r, int rc, const struct err *e)
{
	r->fault = rc == -VIV_NO ? "too_large" : "malformed";
	snprintf(r->message, sizeof(r->message), "%.200s", e->msg);
	return -1;
}

int
receive_data(struct receive *r, int status, const char *type, const char *p, size_t n)
{
	static const char stream[] = "text/event-stream";
	size_t max = status != 200 ? REFUSAL_MAX : CHAT_BODY_MAX;
	struct err e = {0};
	int rc;

	if (!r->begun) {
		r->begun = true;
		r->events = status == 200 && strncasecmp(type, stream, sizeof(stream) - 1) == 0;
	}
	r->bytes += n;
	if (r->events)
		max = CHAT_STREAM_MAX;
	if (r->bytes > max)
		return stop(r, err_set(&e, VIV_NO, "the answer is longer than %zu bytes", max), &e);
	if ((!r->events || r->keep) && (status == 200 || r->body.len < REFUSAL_KEPT))
		buf_add(&r->body, p, n);
	if (!r->events)
		return 0;
	rc = sse_feed(&r->sse, p, n, on_event, r, &e);
	return rc != 0 ? stop(r, rc, &e) : 0;
}

/* Judge an answer with status 200 that has arrived as far as it will. */
static struct retry_verdict
judge_answer(struct receive *r)
{
	struct err e = {0};
	const char *fault;
	int rc;

	if (r->events)
		rc = sse_end(&r->sse, on_event, r, &e);
	else
		rc = chat_whole(&r->answer, r->body.p != NULL ? r->body.p : "", r->body.len, &e);
	if (rc != 0) {
		stop(r, rc, &e);
		/* The last event may be torn where the connection was. */
		return retry_answer(r->events && rc == -VIV_CONFIG ? "truncated" : r->fault);
	}
	fault = chat_fault(&r->answer);
	if (fault == NULL)
		return (struct retry_verdict){0};
	if (strcmp(fault, "server_error") == 0 && r->answer.error > 0) {
		struct retry_verdict v = retry_judge(RETRY_ANSWERED, r->answer.error);

		v.paid = r->answer.text.len > 0;	/* it had begun */
		return v;
	}
	return retry_answer(fault);
}

struct retry_verdict
receive_end(struct receive *r, enum retry_net net, int status, char *message, size_t size)
{
	struct retry_verdict v;

	if (net == RETRY_ABORTED && r->fault != NULL && status == 200)
		v = retry_answer(r->fault);
	else if (status == 200 &&
	    (net == RETRY_ANSWERED || (net == RETRY_CLOSED && r->events && r->answer.done)))
		v = judge_answer(r);
	else
		v = retry_judge(net, status);
	if (status != 200 && r->body.len > 0) {
		struct err e;

		/* Only for its message: an error is no answer, whatever it holds. */
		chat_whole(&r->answer, r->body.p, r->body.len, &e);
		buf_clear(&r->answer.text);
		r->answer.usage = false;
	}
	snprintf(message, size, "%s",
	    r->answer.message[0] != '\0' ? r->answer.message : r->message);
	return v;
}

void
receive_free(struct receive *r)
{
	chat_answer_free(&r->answer);
	sse_free(&r->sse);
	buf_free(&r->body);
	*r = (struct receive){0};
}
