/*
 * http: requests side by side in one process, over libcurl's multi interface.
 *
 * What it insists on: certificates are verified; only http and https; no redirect is
 * followed (a prompt and a key go where the configuration says, nowhere else); nothing is
 * read from .netrc; a proxy from the environment is honoured, but never for this machine.
 * HTTP/2 where TLS offers it, and then many requests share a connection; else connections
 * are kept alive. The key exists in one header line in memory, which is wiped.
 *
 * Whether a byte of the request has left decides about money, so "connect" is told from
 * "timeout" by what libcurl has done so far, not by its error code alone.
 */
#include "http.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "buf.h"
#include "utf8.h"

struct http {
	CURLM *multi;
};

struct http_call {
	struct http *h;
	CURL *easy;
	struct curl_slist *headers;
	char *auth;			/* the header line with the key, or NULL */
	char *body;
	char error[CURL_ERROR_SIZE];
	struct http_result got;		/* headers */
	http_data_fn *data;
	void *arg;
	bool aborted;
};

struct http *
http_open(size_t jobs, struct err *e)
{
	struct http *h = mem_zero(1, sizeof(*h));

	if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0 || (h->multi = curl_multi_init()) == NULL) {
		err_set(e, VIV_UNAVAILABLE, "libcurl does not start");
		free(h);
		return NULL;
	}
	curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, (long)jobs + 4);
	curl_multi_setopt(h->multi, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX);
	return h;
}

void
http_close(struct http *h)
{
	if (h == NULL)
		return;
	curl_multi_cleanup(h->multi);
	curl_global_cleanup();
	free(h);
}

static size_t
on_data(char *p, size_t size, size_t n, void *arg)
{
	struct http_call *c = arg;

	if (c->data(p, size * n, c->arg) != 0) {
		c->aborted = true;
		return 0;
	}
	return size * n;
}

/* Keep the headers that matter, made fit for one line. */
static size_t
on_header(char *p, size_t size, size_t n, void *arg)
{
	struct http_call *c = arg;
	struct http_result *g = &c->got;
	struct {
		const char *name;
		char *dst;
		size_t room;
	} const want[] = {
	    {"content-type", g->type, sizeof(g->type)},
	    {"x-request-id", g->request_id, sizeof(g->request_id)},
	    {"retry-after", g->retry_after, sizeof(g->retry_after)},
	    {"x-ratelimit-remaining-requests", g->left_requests, sizeof(g->left_requests)},
	    {"x-ratelimit-reset-requests", g->reset_requests, sizeof(g->reset_requests)},
	    {"x-ratelimit-remaining-tokens", g->left_tokens, sizeof(g->left_tokens)},
	    {"x-ratelimit-reset-tokens", g->reset_tokens, sizeof(g->reset_tokens)},
	};
	size_t len = size * n;
	const char *colon = memchr(p, ':', len);

	if (len > 5 && memcmp(p, "HTTP/", 5) == 0)
		*g = (struct http_result){0};	/* of an interim answer, or a proxy's */
	for (size_t i = 0; colon != NULL && i < sizeof(want) / sizeof(want[0]); i++) {
		const char *v = colon + 1, *end = p + len;

		if (strlen(want[i].name) != (size_t)(colon - p) ||
		    strncasecmp(p, want[i].name, (size_t)(colon - p)) != 0)
			continue;
		while (v < end && (*v == ' ' || *v == '\t'))
			v++;
		while (end > v && strchr(" \t\r\n", end[-1]) != NULL)
			end--;
		utf8_printable(want[i].dst, want[i].room, v, (size_t)(end - v));
	}
	return len;
}

static bool
set_headers(struct http_call *c, const struct http_spec *s)
{
	static const char *const fixed[] = {"Content-Type: application/json",
	    "Accept: application/json, text/event-stream", "Expect:"};
	struct curl_slist *more;

	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++) {
		if ((more = curl_slist_append(c->headers, fixed[i])) == NULL)
			return false;
		c->headers = more;
	}
	if (s->key == NULL)
		return true;
	c->auth = mem_fmt("Authorization: Bearer %s", s->key);
	more = curl_slist_append(c->headers, c->auth);
	if (more != NULL)
		c->headers = more;
	return more != NULL;
}

static void
set_options(struct http_call *c, const struct http_spec *s)
{
	CURL *z = c->easy;

	curl_easy_setopt(z, CURLOPT_URL, s->url);
	curl_easy_setopt(z, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(z, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(z, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(z, CURLOPT_SSL_VERIFYHOST, 2L);
	if (s->ca_file != NULL)
		curl_easy_setopt(z, CURLOPT_CAINFO, s->ca_file);
	if (s->loopback)
		curl_easy_setopt(z, CURLOPT_PROXY, "");
	curl_easy_setopt(z, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
	curl_easy_setopt(z, CURLOPT_PIPEWAIT, strncasecmp(s->url, "https:", 6) == 0 ? 1L : 0L);
	curl_easy_setopt(z, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(z, CURLOPT_USERAGENT, "vivarium/" VIV_VERSION);
	curl_easy_setopt(z, CURLOPT_HTTPHEADER, c->headers);
	curl_easy_setopt(z, CURLOPT_POSTFIELDS, c->body);
	curl_easy_setopt(z, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(c->body));
	curl_easy_setopt(z, CURLOPT_ERRORBUFFER, c->error);
	curl_easy_setopt(z, CURLOPT_WRITEFUNCTION, on_data);
	curl_easy_setopt(z, CURLOPT_WRITEDATA, c);
	curl_easy_setopt(z, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(z, CURLOPT_HEADERDATA, c);
	curl_easy_setopt(z, CURLOPT_PRIVATE, c);
	curl_easy_setopt(z, CURLOPT_TIMEOUT_MS, s->timeout_ms);
	curl_easy_setopt(z, CURLOPT_CONNECTTIMEOUT_MS, s->connect_ms);
	if (s->stream) {
		curl_easy_setopt(z, CURLOPT_LOW_SPEED_LIMIT, 1L);
		curl_easy_setopt(z, CURLOPT_LOW_SPEED_TIME, (s->stall_ms + 999) / 1000);
	}
}

struct http_call *
http_start(struct http *h, const struct http_spec *s, struct err *e)
{
	struct http_call *c = mem_zero(1, sizeof(*c));

	c->easy = curl_easy_init();
	c->body = mem_dup(s->body);
	c->data = s->data;
	c->arg = s->arg;
	if (c->easy != NULL && set_headers(c, s)) {
		set_options(c, s);
		if (curl_multi_add_handle(h->multi, c->easy) == CURLM_OK) {
			c->h = h;
			return c;
		}
	}
	http_end(c);
	err_set(e, VIV_UNAVAILABLE, "cannot start a transfer");
	return NULL;
}

void
http_end(struct http_call *c)
{
	if (c == NULL)
		return;
	if (c->h != NULL)
		curl_multi_remove_handle(c->h->multi, c->easy);
	curl_easy_cleanup(c->easy);
	for (struct curl_slist *l = c->headers; c->auth != NULL && l != NULL; l = l->next)
		if (strncmp(l->data, "Authorization:", 14) == 0)
			explicit_bzero(l->data, strlen(l->data));
	curl_slist_free_all(c->headers);
	if (c->auth != NULL)
		explicit_bzero(c->auth, strlen(c->auth));
	free(c->auth);
	free(c->body);
	free(c);
}

void
http_wait(struct http *h, const int *fds, size_t n, long ms)
{
	struct curl_waitfd w[4] = {0};

	for (size_t i = 0; i < n && i < 4; i++)
		w[i] = (struct curl_waitfd){.fd = fds[i], .events = CURL_WAIT_POLLIN};
	curl_multi_poll(h->multi, w, (unsigned)(n < 4 ? n : 4), (int)ms, NULL);
}

/* Has the connection been there? Only then can anything have left. */
static bool
was_sent(const struct http_call *c)
{
	long size = 0;

	curl_easy_getinfo(c->easy, CURLINFO_REQUEST_SIZE, &size);
	return size > 0;
}

void
http_so_far(const struct http_call *c, struct http_result *out)
{
	long status = 0;

	*out = c->got;
	curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
	out->status = (int)status;
	out->sent = was_sent(c);
}

static enum retry_net
net_of(const struct http_call *c, CURLcode rc)
{
	switch (rc) {
	case CURLE_OK:
		return RETRY_ANSWERED;
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_USE_SSL_FAILED:
	case CURLE_SSL_ENGINE_INITFAILED:
		return RETRY_TLS;
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
	case CURLE_COULDNT_CONNECT:
	case CURLE_PROXY:
		return RETRY_CONNECT;
	case CURLE_OPERATION_TIMEDOUT:
		return was_sent(c) ? RETRY_TIMEOUT : RETRY_CONNECT;
	case CURLE_WRITE_ERROR:
		return c->aborted ? RETRY_ABORTED : RETRY_CLOSED;
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_UNSUPPORTED_PROTOCOL:
	case CURLE_BAD_CONTENT_ENCODING:
		return RETRY_GARBAGE;
	default:
		return was_sent(c) ? RETRY_CLOSED : RETRY_CONNECT;
	}
}

void *
http_done(struct http *h, struct http_result *out)
{
	int running, left;
	CURLMsg *msg;

	curl_multi_perform(h->multi, &running);
	while ((msg = curl_multi_info_read(h->multi, &left)) != NULL) {
		struct http_call *c = NULL;
		const char *text;

		if (msg->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)&c);
		http_so_far(c, out);
		out->net = net_of(c, msg->data.result);
		text = c->error[0] != '\0' ? c->error : curl_easy_strerror(msg->data.result);
		if (out->net != RETRY_ANSWERED)
			utf8_printable(out->message, sizeof(out->message), text, strlen(text));
		return c->arg;
	}
	return NULL;
}
