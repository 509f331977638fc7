/* err: one error value, one exit-code table, one line on stderr. */
#ifndef VIV_ERR_H
#define VIV_ERR_H

/* Exit codes of every command (vivarium(7)); library errors carry one of them. */
enum exit_code {
	VIV_OK = 0,		/* done, or yes */
	VIV_NO = 1,		/* no, nothing to do, or some input was bad */
	VIV_USAGE = 2,
	VIV_UNAVAILABLE = 69,	/* provider or server */
	VIV_CANTCREAT = 73,
	VIV_IO = 74,		/* input/output error, disk full */
	VIV_TEMPFAIL = 75,	/* lock busy, rate limit: try again */
	VIV_BUDGET = 76,
	VIV_REFUSED = 77,	/* policy, halt, not the owner */
	VIV_CONFIG = 78,	/* bad configuration, damaged state file */
	VIV_TIMEOUT = 124,
	VIV_NOEXEC = 126,
	VIV_NOTFOUND = 127
};

struct err {
	int code;		/* enum exit_code, 0: none */
	char msg[1024];		/* one line, no program name, no full stop */
};

/*
 * Set *e (which may be NULL) to the formatted message and return -code.
 * err_sys appends ": " and strerror(errno), and leaves errno alone.
 */
int err_set(struct err *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
int err_sys(struct err *e, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Put "text: " before the message that *e already has; returns -e->code (-VIV_CONFIG when
 * e is NULL). */
int err_prefix(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Remember argv[0]'s last component as the name that messages begin with. */
void err_program(const char *argv0);
const char *err_program_name(void);

/* One line "name: text" on stderr in one write(2), control bytes shown as '?'. */
void err_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Commands only: warn and exit with the code; err_die prints *e. */
_Noreturn void err_exit(int code, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
_Noreturn void err_die(const struct err *e);

#endif
