/*
 * cgi: one HTTP request from the environment and stdin, one response on stdout.
 *
 * The server has read the request; what it passes on is still what a stranger wrote, so
 * each value is checked for its form before anybody sees it, and a wrong one refuses the
 * request instead of being repaired. Who the peer is comes from REMOTE_ADDR alone, which
 * is the socket's: forwarded-for headers are not looked at, anywhere. A page of another
 * site can make a browser on this host send requests here, so the name by which it was
 * asked for (Host) and where it comes from (Origin, Sec-Fetch-Site) must be this host too.
 */
#include "cgi.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "clock.h"
#include "file.h"
#include "json.h"
#include "num.h"
#include "utf8.h"

enum {
	METHOD_BYTES = 16,
	PATH_BYTES = 1024,
	QUERY_BYTES = 8192,
	HOST_BYTES = 64,
	HEADER_BYTES = 64,
	PORT_MAX = 65535
};

static const char *
variable(const char *name)
{
	const char *s = getenv(name);

	return s != NULL ? s : "";
}

static int
refuse(struct err *e, int status, const char *what)
{
	err_set(e, VIV_REFUSED, "%s", what);
	return status;
}

/* --- the request line --- */

/* No control bytes and no invalid UTF-8, at most max bytes. */
static bool
clean(const char *s, size_t max)
{
	size_t n = strlen(s);

	if (n > max || utf8_invalid(s, n) != n)
		return false;
	for (; *s != '\0'; s++)
		if (iscntrl((unsigned char)*s))
			return false;
	return true;
}

/* No empty, "." or ".." segment: whoever writes one wants another path than it says. */
static bool
clean_path(const char *p)
{
	if (*p != '/' || !clean(p, PATH_BYTES) || strchr(p, '\\') != NULL)
		return false;
	for (; *p == '/'; p += strcspn(p, "/")) {
		size_t n = strcspn(++p, "/");

		if ((n == 0 && *p == '/') || (n == 1 && *p == '.') ||
		    (n == 2 && strncmp(p, "..", 2) == 0))
			return false;
	}
	return true;
}

int
cgi_read(struct cgi *c, struct err *e)
{
	const char *length = variable("CONTENT_LENGTH");
	size_t n;

	*c = (struct cgi){.method = variable("REQUEST_METHOD"), .path = variable("PATH_INFO"),
	    .query = variable("QUERY_STRING"), .type = variable("CONTENT_TYPE"),
	    .peer = variable("REMOTE_ADDR"), .host = variable("HTTP_HOST")};
	c->chunked = *length == '\0' && *variable("HTTP_TRANSFER_ENCODING") != '\0';
	n = strlen(c->method);
	if (n == 0 || n > METHOD_BYTES || strspn(c->method, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != n)
		return refuse(e, 400, "bad request method");
	if (!clean_path(c->path))
		return refuse(e, 400, "bad request path");
	if (!clean(c->query, QUERY_BYTES) || !clean(c->type, HEADER_BYTES * 2))
		return refuse(e, 400, "bad request");
	if (*length == '-' || (*length != '\0' && !num_int(length, 0, INT64_MAX, &c->length)))
		return refuse(e, 400, "bad content length");
	return 0;
}

/* --- who asks --- */

bool
cgi_loopback(const char *address)
{
	static const unsigned char mapped[13] = {[10] = 0xff, [11] = 0xff, [12] = 127};
	struct in_addr v4;
	struct in6_addr v6;

	if (inet_pton(AF_INET, address, &v4) == 1)
		return ntohl(v4.s_addr) >> 24 == 127;
	if (inet_pton(AF_INET6, address, &v6) != 1)
		return false;
	return IN6_IS_ADDR_LOOPBACK(&v6) || memcmp(&v6, mapped, sizeof(mapped)) == 0;
}

bool
cgi_host_loopback(const char *host)
{
	bool literal = *host == '[';
	size_t n = literal ? strcspn(++host, "]") : strcspn(host, ":");
	const char *rest = host + n;
	char name[HOST_BYTES];
	long long port;

	if (n == 0 || n >= sizeof(name) || (literal && *rest++ != ']'))
		return false;
	if (*rest != '\0' && (*rest != ':' || !isdigit((unsigned char)rest[1]) ||
				 !num_int(rest + 1, 1, PORT_MAX, &port)))
		return false;
	memcpy(name, host, n);
	name[n] = '\0';
	if (literal != (strchr(name, ':') != NULL))
		return false;
	return strcasecmp(name, "localhost") == 0 || cgi_loopback(name);
}

/* "http://127.0.0.1:8421": the page that asks was loaded from this host. */
static bool
origin_loopback(const char *origin)
{
	const char *host = strncmp(origin, "http://", 7) == 0 ? origin + 7 :
	    strncmp(origin, "https://", 8) == 0 ? origin + 8 : NULL;

	return host != NULL && cgi_host_loopback(host);
}

int
cgi_access(const struct cgi *c, struct err *e)
{
	const char *origin = cgi_header("Origin"), *site = cgi_header("Sec-Fetch-Site");
	char shown[PATH_BYTES + 1];
	const char *why = NULL;

	if (!cgi_loopback(c->peer))
		why = "";
	else if (!cgi_host_loopback(c->host))
		why = ": the Host header names no loopback address";
	else if (origin != NULL && !origin_loopback(origin))
		why = ": the request comes from another site";
	else if (site != NULL && strcmp(site, "cross-site") == 0)
		why = ": the request comes from another site";
	if (why == NULL)
		return 0;
	utf8_printable(shown, sizeof(shown), c->path, strlen(c->path));
	err_set(e, VIV_REFUSED, "'%.200s' is localhost-only%s", shown, why);
	return 403;
}

const char *
cgi_header(const char *name)
{
	char var[HEADER_BYTES] = "HTTP_";
	size_t n = strlen(var);

	for (; *name != '\0' && n < sizeof(var) - 1; name++)
		var[n++] = *name == '-' ? '_' : (char)toupper((unsigned char)*name);
	var[n] = '\0';
	return getenv(var);
}

bool
cgi_equal(const char *given, const char *secret)
{
	size_t ng = strlen(given), ns = strlen(secret);
	unsigned char diff = ng != ns || ns == 0;

	for (size_t i = 0; i < ng; i++)
		diff |= (unsigned char)(given[i] ^ secret[ns > 0 ? i % ns : 0]);
	return diff == 0;
}

/* --- forms --- */

static int
hex(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 :
	    c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* One part of application/x-www-form-urlencoded text, or NULL; the caller frees. */
static char *
decode(const char *s, size_t n)
{
	struct buf b = {0};
	size_t i;

	for (i = 0; i < n; i++) {
		char c = s[i] == '+' ? ' ' : s[i];

		if (c == '%') {
			if (n - i < 3 || hex(s[i + 1]) < 0 || hex(s[i + 2]) < 0)
				break;
			c = (char)(hex(s[i + 1]) * 16 + hex(s[i + 2]));
			i += 2;
		}
		if (c == '\0')
			break;
		buf_char(&b, c);
	}
	if (i < n || (b.len > 0 && utf8_invalid(b.p, b.len) != b.len)) {
		buf_free(&b);
		return NULL;
	}
	return buf_take(&b);
}

char *
cgi_param(const char *form, size_t n, const char *name)
{
	for (size_t at = 0, end; at < n; at = end + 1) {
		const char *amp = memchr(form + at, '&', n - at);
		const char *eq;
		char *key;
		bool found;

		end = amp != NULL ? (size_t)(amp - form) : n;
		eq = memchr(form + at, '=', end - at);
		key = decode(form + at, eq != NULL ? (size_t)(eq - form) - at : end - at);
		found = key != NULL && strcmp(key, name) == 0;
		free(key);
		if (found)
			return eq == NULL ? mem_dup("") :
			    decode(eq + 1, end - (size_t)(eq + 1 - form));
	}
	return NULL;
}

/* --- the body --- */

bool
cgi_is_type(const struct cgi *c, const char *type)
{
	size_t n = strcspn(c->type, "; \t");

	return n == strlen(type) && strncasecmp(c->type, type, n) == 0;
}

int
cgi_body(const struct cgi *c, size_t max, struct buf *out, struct err *e)
{
	int64_t end = clock_boot_ns() + CGI_BODY_WAIT_S * INT64_C(1000000000);
	size_t left = (size_t)c->length;

	if (c->chunked)
		return refuse(e, 411, "the request has a body without its length");
	if ((unsigned long long)c->length > max)
		return refuse(e, 413, "the request body is too large");
	buf_reserve(out, left + 1);
	while (left > 0) {
		struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
		int64_t ms = (end - clock_boot_ns()) / 1000000;
		ssize_t n;

		if (ms <= 0)
			return refuse(e, 408, "the request body does not come");
		if (poll(&p, 1, (int)ms) <= 0)
			continue;
		n = read(STDIN_FILENO, out->p + out->len, left);
		if (n < 0 && (errno == EINTR || errno == EAGAIN))
			continue;
		if (n <= 0)
			return refuse(e, 400, "the request body is shorter than its length");
		out->len += (size_t)n;
		left -= (size_t)n;
	}
	out->p[out->len] = '\0';
	return 0;
}

/* --- the response --- */

static const char *
phrase(int status)
{
	static const struct {
		int status;
		const char *text;
	} known[] = {{200, "OK"}, {303, "See Other"}, {400, "Bad Request"}, {403, "Forbidden"},
	    {404, "Not Found"}, {405, "Method Not Allowed"}, {408, "Request Timeout"},
	    {409, "Conflict"}, {410, "Gone"}, {411, "Length Required"},
	    {413, "Content Too Large"}, {422, "Unprocessable Content"},
	    {429, "Too Many Requests"}, {500, "Internal Server Error"},
	    {503, "Service Unavailable"}};

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (known[i].status == status)
			return known[i].text;
	return status < 400 ? "OK" : "Error";
}

int
cgi_send(int status, const char *type, const char *more, const char *body, size_t n, struct err *e)
{
	struct buf b = {0};
	int rc;

	buf_fmt(&b, "Status: %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n", status,
	    phrase(status), type, n);
	buf_str(&b, "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"
		    "X-Frame-Options: DENY\r\nReferrer-Policy: no-referrer\r\n");
	if (more != NULL)
		buf_str(&b, more);
	buf_str(&b, "\r\n");
	buf_add(&b, body, n);
	rc = file_write(STDOUT_FILENO, b.p, b.len, "response", e);
	buf_free(&b);
	return rc;
}

int
cgi_json(int status, const char *more, const cJSON *v, struct err *e)
{
	struct buf b = {0};
	int rc;

	json_print(&b, v);
	buf_char(&b, '\n');
	rc = cgi_send(status, "application/json", more, b.p, b.len, e);
	buf_free(&b);
	return rc;
}
