/*
 * cgi: one HTTP request from the environment and stdin, one response on stdout. The only
 * place where untrusted HTTP input is looked at.
 *
 * Functions that can refuse return 0 or an HTTP status of 400 and above, with words for
 * the client in *e (whose code is then VIV_REFUSED).
 */
#ifndef VIV_CGI_H
#define VIV_CGI_H

#include <stdbool.h>
#include <stddef.h>
#include <cjson/cJSON.h>

#include "buf.h"
#include "err.h"

enum { CGI_BODY_WAIT_S = 10 };	/* the whole body must be there by then */

/* Strings are borrowed from the environment, never NULL ("" when absent). */
struct cgi {
	const char *method;	/* "GET": capitals, at most 16 */
	const char *path;	/* decoded, begins with '/', printable, no "." segments */
	const char *query;	/* raw, without '?' */
	const char *type;	/* of the body, "" when none was named */
	const char *peer;	/* address of the socket; no header can change it */
	const char *host;
	long long length;	/* of the body in bytes, 0: none */
	bool chunked;		/* the server passed a body on without its length */
};

/* What the server handed over: 0, or 400 with *out filled in as far as it goes. */
int cgi_read(struct cgi *out, struct err *e);

/* Pure. Is it the address of this host's loopback (127/8, ::1, ::ffff:127/104)? */
bool cgi_loopback(const char *address);

/* Pure. "localhost", or a loopback address as a URL has it, with a port or without. */
bool cgi_host_loopback(const char *host);

/*
 * 0, or 403 with "'path' is localhost-only ...": the peer is not this host, or a browser
 * was led here by another site (Host, Origin, Sec-Fetch-Site).
 */
int cgi_access(const struct cgi *c, struct err *e);

/* Value of a header as the server passes it ("X-Name"), or NULL. */
const char *cgi_header(const char *name);

/* The value of the first parameter of that name in the query or in a form's body of n
 * bytes, decoded; NULL when it is absent or no valid UTF-8 without NUL. The caller frees. */
char *cgi_param(const char *form, size_t n, const char *name);

/* Pure. Equal, in a time that tells nothing of where they differ. An empty secret
 * equals nothing. */
bool cgi_equal(const char *given, const char *secret);

/* Is the media type of the body that one (parameters and letter case aside)? */
bool cgi_is_type(const struct cgi *c, const char *type);

/* Append the body: 0; 413 over max bytes, 411 without a length, 400 when it ends early,
 * 408 when it does not come. */
int cgi_body(const struct cgi *c, size_t max, struct buf *out, struct err *e);

/*
 * The response: a line of more (each ending in \r\n) may be added to the headers; NULL:
 * none. Nothing may be cached, framed, or guessed about. 0, or -VIV_IO when it could not
 * be written.
 */
int cgi_send(int status, const char *type, const char *more, const char *body, size_t n,
    struct err *e);
int cgi_json(int status, const char *more, const cJSON *v, struct err *e);

#endif
