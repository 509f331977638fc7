/*
 * faultd: an OpenAI-compatible server that misbehaves as its address says, for the tests
 * of viv-llm. usage: faultd DIR [SECONDS]
 *
 * It listens on 127.0.0.1 on a port of the kernel's choice, written to DIR/port when it is
 * ready, and ends after SECONDS (60) or when it is killed. The path says how to answer:
 * /good,chunks,.../v1/chat/completions: the first word for the first request under this
 * path, and so on, the last for all that follow. Each request is a line in DIR/requests: the
 * word and the body, never the key.
 *
 * No httpd can be configured to cut its own answers at the wrong byte; that is all the
 * reason there is for this one. A process a connection, so that nobody waits for a stall.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "buf.h"

enum { PATHS = 64, PATH_BYTES = 200 };

struct asked {
	char path[PATH_BYTES];
	int n;
};

static struct asked *seen;	/* how often each path was, shared by all processes */

#define USAGE "\"usage\":{\"prompt_tokens\":11,\"completion_tokens\":4,\"total_tokens\":15," \
	"\"prompt_tokens_details\":{\"cached_tokens\":3}}"
#define ID "\"id\":\"chatcmpl-1\",\"model\":\"served-model\""
#define TEXT "Grüße, 世界."

static void
put(int fd, const char *s, size_t n)
{
	while (n > 0) {
		ssize_t done = send(fd, s, n, MSG_NOSIGNAL);

		if (done <= 0)
			_exit(0);
		s += done;
		n -= (size_t)done;
	}
}

static void
say(int fd, const char *s)
{
	put(fd, s, strlen(s));
}

static void
whole(int fd, const char *status, const char *type, const char *extra, const char *body)
{
	char *head = mem_fmt("HTTP/1.1 %s\r\nContent-Type: %s\r\nX-Request-Id: req-7\r\n%s"
	    "Content-Length: %zu\r\n\r\n", status, type, extra, strlen(body));

	say(fd, head);
	say(fd, body);
	free(head);
}

static void
refuse(int fd, const char *status, const char *extra)
{
	whole(fd, status, "application/json", extra,
	    "{\"error\":{\"message\":\"the server says no\",\"type\":\"test\"}}");
}

static void
json(int fd, const char *body)
{
	whole(fd, "200 OK", "application/json", "", body);
}

static void
answer(int fd, const char *text, const char *finish, const char *usage)
{
	char *body = mem_fmt("{" ID ",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\","
	    "\"content\":\"%s\"},\"finish_reason\":\"%s\"}]%s%s}", text, finish,
	    *usage != '\0' ? "," : "", usage);

	json(fd, body);
	free(body);
}

static void
head(int fd)
{
	say(fd, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\n"
	    "X-Request-Id: req-7\r\nConnection: close\r\n\r\n");
}

static void
delta(struct buf *b, const char *text, const char *finish)
{
	buf_fmt(b, "data: {" ID ",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"%s\"},"
	    "\"finish_reason\":%s}]}\r\n\r\n", text, finish);
}

/* A stream in pieces of size bytes; its last cut bytes are not sent. */
static void
stream(int fd, size_t size, const char *finish, const char *usage, size_t cut)
{
	struct buf b = {0};

	buf_str(&b, ": a comment\r\n\r\nid: 7\r\n");
	delta(&b, "Grüße, ", "null");
	delta(&b, "世", "null");
	delta(&b, "界.", "null");
	delta(&b, "", finish);
	if (*usage != '\0')
		buf_fmt(&b, "data: {" ID ",\"choices\":[],%s}\n\n", usage);
	buf_str(&b, "data: [DONE]\n\n");
	head(fd);
	b.len -= cut;
	for (size_t i = 0; i < b.len; i += size)
		put(fd, b.p + i, b.len - i < size ? b.len - i : size);
	buf_free(&b);
	_exit(0);
}

/* One event, and then silence until the client has gone. */
static void
stall(int fd, bool begun)
{
	struct buf b = {0};
	char c;

	if (begun) {
		head(fd);
		delta(&b, "Partial", "null");
		put(fd, b.p, b.len);
	}
	close(open("stalling", O_WRONLY | O_CREAT, 0600));
	while (recv(fd, &c, 1, 0) > 0)
		;
	_exit(0);
}

/* Text without an end. */
static void
flood(int fd, bool events)
{
	char block[4096];
	struct buf b = {0};

	memset(block, 'x', sizeof(block) - 1);
	block[sizeof(block) - 1] = '\0';
	if (events) {
		head(fd);
		delta(&b, block, "null");
	} else {
		say(fd, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{\"a\":\"");
		buf_str(&b, block);
	}
	for (;;)
		put(fd, b.p, b.len);
}

static void
echo(int fd, const char *auth)
{
	char *text = mem_fmt("you sent %s", auth);
	char *error = mem_fmt("{\"error\":{\"message\":\"bad key %s\"}}", auth);

	if (access("refuse", F_OK) == 0)
		whole(fd, "401 No", "application/json", "", error);
	else
		answer(fd, text, "stop", USAGE);
	free(text);
	free(error);
}

static void
slow(int fd, long ms, const char *body)
{
	struct timespec ts = {ms / 1000, ms % 1000 * 1000000};

	nanosleep(&ts, NULL);
	answer(fd, body, "stop", USAGE);
}

/* "503" and the like. */
static bool
status(int fd, const char *how)
{
	char *line;

	if (strlen(how) != 3 || strspn(how, "0123456789") != 3)
		return false;
	line = mem_fmt("%s Because", how);
	refuse(fd, line, "");
	free(line);
	return true;
}

/* The ways that answer and keep the connection. */
static bool
polite(int fd, const char *how, const char *auth)
{
	if (strcmp(how, "good") == 0)
		answer(fd, TEXT, "stop", USAGE);
	else if (strcmp(how, "escape") == 0)
		answer(fd, "a\\u001b]0;owned\\u0007b\\u009bc", "stop", USAGE);
	else if (strcmp(how, "nousage") == 0)
		answer(fd, TEXT, "stop", "");
	else if (strcmp(how, "length") == 0)
		answer(fd, TEXT, "length", USAGE);
	else if (strcmp(how, "empty") == 0)
		answer(fd, " ", "stop", USAGE);
	else if (strcmp(how, "filter") == 0)
		answer(fd, TEXT, "content_filter", USAGE);
	else if (strcmp(how, "malformed") == 0)
		json(fd, "{\"choices\":[{");
	else if (strcmp(how, "list") == 0)
		json(fd, "[1,2]");
	else if (strcmp(how, "html") == 0)
		whole(fd, "200 OK", "text/html", "", "<html>log in here</html>");
	else if (strcmp(how, "error200") == 0)
		json(fd, "{\"error\":{\"message\":\"overloaded\",\"code\":503}}");
	else if (strcmp(how, "after1") == 0)
		refuse(fd, "429 Slow down", "Retry-After: 1\r\n");
	else if (strcmp(how, "after90") == 0)
		refuse(fd, "429 Slow down", "Retry-After: 90\r\n");
	else if (strcmp(how, "afterdate") == 0)
		refuse(fd, "503 Later", "Retry-After: Fri, 31 Dec 2100 23:59:59 GMT\r\n");
	else if (strcmp(how, "limits") == 0)
		refuse(fd, "429 Slow down", "x-ratelimit-remaining-requests: 0\r\n"
		    "x-ratelimit-reset-requests: 1m30s\r\n");
	else if (strcmp(how, "redirect") == 0)
		refuse(fd, "307 Elsewhere", "Location: /good/v1/chat/completions\r\n");
	else if (strcmp(how, "echo") == 0)
		echo(fd, auth);
	else if (strncmp(how, "slow", 4) == 0)
		slow(fd, atol(how + 4), TEXT);
	else
		return status(fd, how);
	return true;
}

static void
respond(int fd, const char *how, const char *auth)
{
	if (polite(fd, how, auth))
		return;
	if (strcmp(how, "stream") == 0)
		stream(fd, 1 << 20, "\"stop\"", USAGE, 0);
	else if (strcmp(how, "chunks") == 0)
		stream(fd, 1, "\"stop\"", USAGE, 0);
	else if (strcmp(how, "streamnousage") == 0)
		stream(fd, 100, "\"stop\"", "", 0);
	else if (strcmp(how, "torn") == 0)
		stream(fd, 100, "null", "", 30);
	else if (strcmp(how, "stall") == 0)
		stall(fd, true);
	else if (strcmp(how, "silent") == 0)
		stall(fd, false);
	else if (strcmp(how, "cut") == 0)
		say(fd, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
		    "Content-Length: 1000\r\n\r\n{\"choices\":[{\"mess");
	else if (strcmp(how, "garbage") == 0)
		say(fd, "220 mail.example ESMTP\r\n");
	else if (strcmp(how, "flood") == 0)
		flood(fd, true);
	else if (strcmp(how, "huge") == 0)
		flood(fd, false);
	else if (strcmp(how, "close") != 0)
		refuse(fd, "404 No such fault", "");
	_exit(0);
}

/* The word of the path that is due, into how. */
static void
choose(const char *path, char how[PATH_BYTES])
{
	const char *words = path + 1;
	size_t i = 0, len = strcspn(words, "/"), n;
	int turn;

	while (i < PATHS - 1 && seen[i].path[0] != '\0' && strcmp(seen[i].path, path) != 0)
		i++;
	snprintf(seen[i].path, PATH_BYTES, "%s", path);
	turn = __sync_fetch_and_add(&seen[i].n, 1);
	for (; turn > 0 && memchr(words, ',', len) != NULL; turn--) {
		n = strcspn(words, ",") + 1;
		words += n;
		len -= n;
	}
	n = strcspn(words, ",/");
	snprintf(how, PATH_BYTES, "%.*s", (int)(n < PATH_BYTES ? n : PATH_BYTES - 1), words);
}

static void
note(const char *how, const char *body)
{
	char *line = mem_fmt("{\"how\":\"%s\",\"body\":%s}\n", how, *body == '{' ? body : "null");
	int fd = open("requests", O_WRONLY | O_APPEND | O_CREAT, 0600);

	if (fd < 0 || write(fd, line, strlen(line)) < 0)
		_exit(1);
	close(fd);
	free(line);
}

/* Read one request; false at the end of the connection. */
static bool
request(int fd, struct buf *in, char how[PATH_BYTES], char auth[300])
{
	char path[PATH_BYTES] = "/";
	const char *end, *p;
	size_t size = 0, skip;

	buf_clear(in);
	for (;;) {
		char block[65536];
		ssize_t n;

		end = in->len > 0 ? strstr(in->p, "\r\n\r\n") : NULL;
		if (end != NULL && (p = strcasestr(in->p, "\r\nContent-Length:")) != NULL &&
		    p < end)
			size = strtoul(p + 17, NULL, 10);
		if (end != NULL && in->len >= (size_t)(end - in->p) + 4 + size)
			break;
		n = recv(fd, block, sizeof(block), 0);
		if (n <= 0)
			return false;
		buf_add(in, block, (size_t)n);
	}
	skip = (size_t)(end - in->p) + 4;
	sscanf(in->p, "%*s %199s", path);
	auth[0] = '\0';
	p = strcasestr(in->p, "\r\nAuthorization: Bearer ");
	if (p != NULL && p < end)
		sscanf(p + 24, "%299[^\r]", auth);
	choose(path, how);
	note(how, in->p + skip);
	return true;
}

static void
serve(int fd)
{
	struct buf in = {0};
	char how[PATH_BYTES], auth[300];
	int one = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	while (request(fd, &in, how, auth))
		respond(fd, how, auth);
	_exit(0);
}

int
main(int argc, char **argv)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t len = sizeof(a);
	int s = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), fd;
	FILE *f;

	if (argc < 2 || chdir(argv[1]) != 0)
		return 2;
	seen = mmap(NULL, PATHS * sizeof(*seen), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (s < 0 || seen == MAP_FAILED || bind(s, (struct sockaddr *)&a, sizeof(a)) != 0 ||
	    listen(s, 512) != 0 || getsockname(s, (struct sockaddr *)&a, &len) != 0)
		return 1;
	signal(SIGCHLD, SIG_IGN);
	alarm(argc > 2 ? (unsigned)atol(argv[2]) : 60);
	f = fopen("port.new", "w");
	if (f == NULL || fprintf(f, "%d\n", ntohs(a.sin_port)) < 0 || fclose(f) != 0 ||
	    rename("port.new", "port") != 0)
		return 1;
	for (;;) {
		fd = accept(s, NULL, NULL);
		if (fd < 0)
			continue;
		if (fork() == 0)
			serve(fd);
		close(fd);
	}
}
