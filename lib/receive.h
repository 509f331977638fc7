/*
 * receive: the answer to one request while it arrives: a stream of events, a whole body, or
 * a refusal. Pure.
 */
#ifndef VIV_RECEIVE_H
#define VIV_RECEIVE_H

#include <stdbool.h>
#include <stddef.h>

#include "buf.h"
#include "chat.h"
#include "retry.h"
#include "sse.h"

/* Text as it arrives. */
typedef void receive_text_fn(const char *text, size_t n, void *arg);

/* Zero-initialise; receive_free frees. */
struct receive {
	struct chat_answer answer;
	bool keep;			/* keep the body of a stream as well (to record it) */
	receive_text_fn *text;		/* or NULL */
	void *arg;
	struct buf body;
	bool shown;			/* text was called */
	/* private */
	struct sse sse;
	bool begun, events;
	size_t bytes;
	const char *fault;
	char message[256];
};

/* Bytes with the status and Content-Type they came under; nonzero: stop the transfer. */
int receive_data(struct receive *r, int status, const char *type, const char *p, size_t n);

/*
 * The transfer is over: what it means. class NULL: the answer is whole and useful. The
 * message (one line, "" when there is nothing to say) is the server's or ours. Code "length"
 * is a whole answer that was cut at max_tokens.
 */
struct retry_verdict receive_end(
    struct receive *r, enum retry_net net, int status, char *message, size_t size);

void receive_free(struct receive *r);

#endif
