/*
 * key: the secret of a provider, from where it is kept to where it is used.
 */
#ifndef VIV_KEY_H
#define VIV_KEY_H

#include <stdbool.h>
#include <stddef.h>

#include "err.h"
#include "world.h"

#define KEY_FILE "groq_api_key.txt"	/* in meta/security */

enum {
	KEY_MIN = 16,		/* characters of a key that viv-key stores, */
	KEY_MAX = 256,		/* at most; */
	KEY_ANY_MAX = 4096,	/* of one from elsewhere, at most */
	KEY_COMMAND_S = 10	/* a command has so long to print it */
};

/* Asked in this order; each may be NULL. */
struct key_source {
	char *env;		/* environment variable */
	char *file;		/* absolute, or in the world's meta/security */
	char **command;		/* argv, the program by its absolute path */
	bool optional;		/* the server may also do without */
};

/*
 * The key, read now: *key_out is NULL when there is none; key_wipe frees. -VIV_CONFIG
 * when what is there cannot be a key or is open to others. No message holds any of it.
 */
int key_read(const struct key_source *s, const struct world *w, char **key_out, struct err *e);
void key_wipe(char *key);

/* Printable ASCII without blanks, min to max characters. */
bool key_ok(const char *key, size_t min, size_t max);

/* Every occurrence of the key in s (in place; NULL key: none) becomes asterisks. */
void key_hide(char *s, const char *key);

#endif
