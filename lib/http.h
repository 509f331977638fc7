/*
 * http: requests side by side in one process. The only user of libcurl: whoever calls it
 * links that too, and nothing on a local task's way may.
 */
#ifndef VIV_HTTP_H
#define VIV_HTTP_H

#include <stdbool.h>
#include <stddef.h>

#include "err.h"
#include "retry.h"

struct http;		/* the loop, and the connections it keeps */
struct http_call;	/* one request under way */

/* Bytes of the answer as they come; nonzero ends the transfer (RETRY_ABORTED). */
typedef int http_data_fn(const char *p, size_t n, void *arg);

/* One POST of JSON. Only used while starting; body is copied. */
struct http_spec {
	const char *url, *body;
	const char *key;		/* sent as Authorization: Bearer, or NULL */
	const char *ca_file;		/* more trusted certificates, or NULL */
	bool stream;			/* the answer comes in pieces: silence is a fault */
	bool loopback;			/* never by a proxy */
	long timeout_ms, connect_ms, stall_ms;
	http_data_fn *data;
	void *arg;			/* of data, and what http_done names */
};

struct http_result {
	enum retry_net net;
	int status;			/* 0: none */
	bool sent;			/* some of the request has left */
	char type[128], request_id[128], retry_after[64];	/* headers, "" absent */
	char left_requests[32], reset_requests[32], left_tokens[32], reset_tokens[32];
	char message[256];		/* when net is not RETRY_ANSWERED; no key in it */
};

/* NULL and -VIV_UNAVAILABLE in *e when libcurl does not start. */
struct http *http_open(size_t jobs, struct err *e);
void http_close(struct http *h);

/* Start; NULL and *e. Ends by http_end, before or after it is done. */
struct http_call *http_start(struct http *h, const struct http_spec *spec, struct err *e);
void http_end(struct http_call *c);

/* Wait for something: of the network, of the n descriptors (to be readable, or closed by
 * their readers), or ms. */
void http_wait(struct http *h, const int *fds, size_t n, long ms);

/* Let the transfers go on, calling their data; then the arg of one that is over, with its
 * result, or NULL. Ask until NULL. */
void *http_done(struct http *h, struct http_result *out);

/* What is known of a call so far (net is then meaningless). */
void http_so_far(const struct http_call *c, struct http_result *out);

#endif
