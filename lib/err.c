/*
 * err: one error value, one exit-code table, one line on stderr.
 *
 * A library function that fails writes one line into the caller's struct err and
 * returns the negative exit code; only main decides to exit. Text from outside may
 * be part of a message, so control bytes are shown as '?' on the way out.
 */
#include "err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *program = "viv";

static void err_fmt(struct err *e, int code, const char *fmt, va_list ap)
    __attribute__((format(printf, 3, 0)));
static void err_line(const char *fmt, va_list ap) __attribute__((format(printf, 1, 0)));

static void
err_fmt(struct err *e, int code, const char *fmt, va_list ap)
{
	if (e == NULL)
		return;
	e->code = code;
	if (vsnprintf(e->msg, sizeof(e->msg), fmt, ap) < 0)
		e->msg[0] = '\0';
}

int
err_set(struct err *e, int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	err_fmt(e, code, fmt, ap);
	va_end(ap);
	return -code;
}

int
err_sys(struct err *e, int code, const char *fmt, ...)
{
	va_list ap;
	int saved = errno;

	va_start(ap, fmt);
	err_fmt(e, code, fmt, ap);
	va_end(ap);
	if (e != NULL) {
		size_t n = strlen(e->msg);

		snprintf(e->msg + n, sizeof(e->msg) - n, ": %s", strerror(saved));
	}
	errno = saved;
	return -code;
}

int
err_prefix(struct err *e, const char *fmt, ...)
{
	char head[512];
	char tail[sizeof(e->msg)];
	va_list ap;

	if (e == NULL)
		return -VIV_CONFIG;
	va_start(ap, fmt);
	if (vsnprintf(head, sizeof(head), fmt, ap) < 0)
		head[0] = '\0';
	va_end(ap);
	memcpy(tail, e->msg, sizeof(tail));
	tail[sizeof(tail) - 1] = '\0';
	snprintf(e->msg, sizeof(e->msg), "%s: %.500s", head, tail);
	return -e->code;
}

void
err_program(const char *argv0)
{
	const char *slash = strrchr(argv0, '/');

	program = slash != NULL ? slash + 1 : argv0;
}

const char *
err_program_name(void)
{
	return program;
}

static void
err_line(const char *fmt, va_list ap)
{
	char line[2048];
	int n = snprintf(line, sizeof(line), "%.64s: ", program);
	int more = vsnprintf(line + n, sizeof(line) - (size_t)n - 1, fmt, ap);

	if (more > 0)
		n += more;
	if ((size_t)n > sizeof(line) - 2)
		n = sizeof(line) - 2;
	for (int i = 0; i < n; i++)
		if ((unsigned char)line[i] < 0x20 || line[i] == 0x7f)
			line[i] = '?';
	line[n++] = '\n';
	if (write(STDERR_FILENO, line, (size_t)n) < 0)
		return;		/* nobody is left to tell */
}

void
err_warn(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	err_line(fmt, ap);
	va_end(ap);
}

void
err_exit(int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	err_line(fmt, ap);
	va_end(ap);
	exit(code);
}

void
err_die(const struct err *e)
{
	err_exit(e->code != 0 ? e->code : VIV_IO, "%s", e->msg);
}
