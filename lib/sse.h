/*
 * sse: server-sent events out of a byte stream that may be cut anywhere. Pure.
 */
#ifndef VIV_SSE_H
#define VIV_SSE_H

#include <stdbool.h>
#include <stddef.h>

#include "buf.h"
#include "err.h"

enum { SSE_EVENT_MAX = 1024 * 1024 };	/* bytes of one line, and of one event's data */

/* Zero-initialise; sse_free frees. */
struct sse {
	struct buf line;	/* unfinished line */
	struct buf data;	/* of the unfinished event, a newline after each line */
	bool cr;		/* the byte before was a CR: a LF now ends nothing */
	bool begun;		/* a line has ended: no byte order mark any more */
};

/* The data of one event, NUL-terminated; nonzero ends the feeding and is returned. */
typedef int sse_fn(const char *data, size_t n, void *arg, struct err *e);

/* Bytes as they come: calls fn for each event that they complete. 0, fn's result, or
 * -VIV_CONFIG when a line or an event grows over SSE_EVENT_MAX. */
int sse_feed(struct sse *s, const char *p, size_t n, sse_fn *fn, void *arg, struct err *e);

/* The stream has ended: an event whose lines are whole but whose blank line is missing
 * counts (some servers end so); a torn line does not. */
int sse_end(struct sse *s, sse_fn *fn, void *arg, struct err *e);

void sse_free(struct sse *s);

#endif
