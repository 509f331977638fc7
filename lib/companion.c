/*
 * companion: viv-llm as a program beside this one, a line in, the same line out.
 *
 * It is started with the first call and kept for the next. It dies with this process,
 * by SIGTERM, so that it can settle what it has spent. A halt, a silence that lasts too
 * long, and its end are errors of the call; the next call starts another one.
 */
#include "companion.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "halt.h"
#include "json.h"

enum { TICK_MS = 1000 };

void
companion_init(struct companion *c)
{
	*c = (struct companion){.to = -1};
	c->from.fd = -1;
}

void
companion_stop(struct companion *c)
{
	if (c->to >= 0)
		close(c->to);
	if (c->from.fd >= 0)
		close(c->from.fd);
	jsonl_free(&c->from);
	c->from = (struct jsonl){.fd = -1};
	c->to = -1;
	if (c->pid > 0) {
		kill(c->pid, SIGTERM);
		for (int i = 0; i < 20 && waitpid(c->pid, NULL, WNOHANG) == 0; i++) {
			clock_sleep_ms(100);
			if (i == 19) {
				kill(c->pid, SIGKILL);
				waitpid(c->pid, NULL, 0);
			}
		}
	}
	c->pid = 0;
}

static _Noreturn void
become(const char *program, int in, int out, pid_t parent)
{
	char *argv[] = {(char *)(uintptr_t)program, (char[]){"-j"}, (char[]){"1"},
	    (char[]){"-l"}, NULL};

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (getppid() != parent || dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0)
		_exit(VIV_NOEXEC);
	signal(SIGPIPE, SIG_DFL);
	execvp(program, argv);
	_exit(VIV_NOTFOUND);
}

static int
start(struct companion *c, struct err *e)
{
	const char *program = getenv("VIV_LLM");
	int in[2], out[2] = {-1, -1};
	pid_t parent = getpid();

	if (c->pid > 0)
		return 0;
	if (program == NULL || *program == '\0')
		program = "viv-llm";
	if (pipe2(in, O_CLOEXEC) != 0)
		return err_sys(e, VIV_IO, "cannot start '%s'", program);
	if (pipe2(out, O_CLOEXEC) == 0 && (c->pid = fork()) == 0)
		become(program, in[0], out[1], parent);
	close(in[0]);
	if (out[1] >= 0)
		close(out[1]);
	c->to = in[1];
	c->from = (struct jsonl){.fd = out[0]};
	if (c->pid <= 0) {
		err_sys(e, VIV_IO, "cannot start '%s'", program);
		c->pid = 0;
		companion_stop(c);
		return -VIV_IO;
	}
	return 0;
}

static int
gone(struct companion *c, struct err *e)
{
	companion_stop(c);
	return err_set(e, VIV_UNAVAILABLE, "no model can be asked: '%s' has ended",
	    getenv("VIV_LLM") != NULL ? getenv("VIV_LLM") : "viv-llm");
}

/* The next line it writes. */
static int
receive(struct companion *c, const struct world *w, int seconds, cJSON **out, struct err *e)
{
	int64_t until = clock_boot_ns() + (int64_t)seconds * 1000000000;
	char why[200];

	*out = NULL;
	while (c->from.buf.p == NULL || (*out = jsonl_next(&c->from)) == NULL) {
		struct pollfd p = {.fd = c->from.fd, .events = POLLIN};

		if (c->from.eof)
			return gone(c, e);
		if (halt_on(w, why, sizeof(why))) {
			companion_stop(c);
			return err_set(e, VIV_REFUSED, "halted: %s", why);
		}
		if (clock_boot_ns() > until) {
			companion_stop(c);
			return err_set(e, VIV_UNAVAILABLE, "the model did not answer in %d s",
			    seconds);
		}
		if (poll(&p, 1, TICK_MS) > 0 && jsonl_fill(&c->from, e) < 0)
			return gone(c, e);
	}
	return 0;
}

int
companion_call(struct companion *c, const struct world *w, const cJSON *request, int seconds,
    cJSON **out, struct err *e)
{
	const char *want = json_str(request, "ref"), *ref;
	void (*old)(int);
	int rc = start(c, e);

	*out = NULL;
	if (rc != 0)
		return rc;
	old = signal(SIGPIPE, SIG_IGN);
	rc = jsonl_write(c->to, request, e);
	signal(SIGPIPE, old);
	if (rc != 0)
		return gone(c, e);
	while ((rc = receive(c, w, seconds, out, e)) == 0) {
		ref = json_str(*out, "ref");
		if (ref != NULL && strcmp(ref, want) == 0)
			return 0;
		cJSON_Delete(*out);
		*out = NULL;
	}
	return rc;
}
