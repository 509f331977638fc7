/*
 * screen: the four checks of a task's own text (reference core.md 2.10), in order:
 * constitutional, workspace, network, prompt. Pure. The words that switched the
 * reference's checks off ("block", "safety" ...) do not exist here.
 */
#ifndef VIV_SCREEN_H
#define VIV_SCREEN_H

#include <stdbool.h>
#include <stddef.h>

enum { SCREEN_CHECKS = 4 };

struct screen_check {
	const char *name;	/* "constitutional", "workspace", "network", "prompt" */
	bool passed;
	const char *reason;	/* static text */
};

struct screen {
	bool passed;
	int run;		/* checks that ran: it stops after the first failure */
	struct screen_check check[SCREEN_CHECKS];
};

/* Text is valid UTF-8 of n bytes. It is compared in a normal form: compatibility
 * letters folded, case folded, zero-width characters and separators removed. */
void screen_text(const char *text, size_t n, struct screen *out);

#endif
