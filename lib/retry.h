/*
 * retry: what an answer, or the lack of one, means for the next try. Pure: the caller
 * brings the clock and the chance.
 */
#ifndef VIV_RETRY_H
#define VIV_RETRY_H

#include <stdbool.h>
#include <stddef.h>

enum {
	RETRY_TRIES = 5,	/* of one call, at most; */
	RETRY_PAID = 2,		/* of them so many that may have cost money */
	RETRY_BASE_MS = 500,	/* back-off before the second try: 0 to this, */
	RETRY_CAP_MS = 20000	/* doubled each time up to this */
};

/* How a transfer ended below HTTP. */
enum retry_net {
	RETRY_ANSWERED,		/* there is a status and a whole body */
	RETRY_CONNECT,		/* no connection: no byte of the request has left */
	RETRY_TLS,		/* the peer is not who it should be, or no common cipher */
	RETRY_TIMEOUT,		/* too slow, or silent, after the request was sent */
	RETRY_CLOSED,		/* closed in the middle */
	RETRY_ABORTED,		/* by us: too large, or not understood */
	RETRY_GARBAGE		/* not HTTP */
};

struct retry_verdict {
	const char *class;	/* "transient", "rate", "permanent"; NULL: an answer to read */
	const char *code;	/* "http_503", "connect", ... */
	bool again;		/* the same may work later */
	bool fallback;		/* another provider may be asked at once */
	bool paid;		/* it may have cost money: the outcome is not known */
};

/* status: of HTTP, when there was one. The verdict's strings are static. */
struct retry_verdict retry_judge(enum retry_net net, int status);

/* The same for a whole answer with status 200 that is no success: "malformed", "empty",
 * "too_large" or an error inside the stream, "truncated". */
struct retry_verdict retry_answer(const char *code);

/* Milliseconds to wait before try number `next` (2, 3, ...): full jitter; chance is
 * uniform in [0, 1). */
long retry_backoff_ms(int next, double chance);

/* Milliseconds to wait when the server asked for after_s (-1: it did not) and left_ms
 * are left of the deadline; -1 when it cannot be done in time. */
long retry_wait_ms(int next, double after_s, double chance, long left_ms);

/* Retry-After: seconds, or a date in one of the three forms of HTTP, against now (wall
 * time): seconds from now, at least 0 and at most RETRY_AFTER_MAX_S; -1: not understood. */
#define RETRY_AFTER_MAX_S 86400.0
double retry_after(const char *value, double now);

/* A duration as in x-ratelimit-reset-*: "2m59.56s", "20ms", "7.66s", "1h", or bare
 * seconds; -1: not understood. */
double retry_duration(const char *value);

/* Seconds during which x-ratelimit-* says that nothing will be let through: the reset of
 * what is used up (values as sent, NULL: absent), 0 when something is left. */
double retry_exhausted(const char *left_requests, const char *reset_requests,
    const char *left_tokens, const char *reset_tokens);

#endif
