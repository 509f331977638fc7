/*
 * provider: which servers may be asked, in which order, and with which key.
 */
#ifndef VIV_PROVIDER_H
#define VIV_PROVIDER_H

#include <stdbool.h>
#include <stddef.h>

#include "err.h"
#include "key.h"
#include "world.h"

#define PROVIDER_FILE "meta/security/providers.json"

struct provider {
	char *name;
	char *url;			/* of chat completions */
	struct key_source key;
	char **models;			/* names it serves, NULL-terminated; NULL: any */
	char *model;			/* what to ask it for whatever the task names, or NULL */
	char *tokens_member;		/* "max_tokens" */
	char *cassette;			/* "record:DIR", "replay:DIR" or NULL */
	char *ca_file;			/* more trusted certificates, or NULL */
	bool free;			/* costs nothing: a server of one's own */
	bool stream;			/* it can */
	double connect_s, stall_s;	/* time to connect; longest silence in a stream */
};

struct providers {
	struct provider *v;
	size_t n;
};

/*
 * The world's list (w NULL, or no file: the installed share/providers.json), without the
 * servers whose address is to come from an environment variable that is not set.
 * -VIV_CONFIG: damaged, not ours, or open to others. providers_free frees.
 */
int providers_load(struct providers *p, const struct world *w, struct err *e);
void providers_free(struct providers *p);

/* Does it serve the model? id: the price list's name, asked: the task's. */
bool provider_serves(const struct provider *p, const char *id, const char *asked);

/* Is the host of the URL this machine: localhost, 127/8 or ::1? */
bool provider_loopback(const char *url);

#endif
