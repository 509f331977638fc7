/*
 * artifact: the markdown that an approved result becomes: names, places, text
 * (reference core.md 2.12). Pure. lib/artifact.c opens with the rules.
 */
#ifndef VIV_ARTIFACT_H
#define VIV_ARTIFACT_H

#include <stdbool.h>
#include <stdint.h>
#include <cjson/cJSON.h>

#include "buf.h"
#include "err.h"

#define ARTIFACT_JOURNALS ".swarm/journals"
#define ARTIFACT_SUGGESTIONS "library/community_library/resident_suggestions"
#define ARTIFACT_UNKNOWN "resident_unknown"

enum { ARTIFACT_SLUG = 80 };	/* bytes, all ASCII */

/* Runs of anything but letters, digits, '.', '_' and '-' as one '_', trimmed of ". _ -",
 * cut; fallback when nothing is left. The caller frees. */
char *artifact_slug(const char *s, const char *fallback);

/* The name that is the identity's alone in files: its slug when that is the identity
 * itself, else one that no other has. The caller frees. */
char *artifact_owner(const char *identity);

/*
 * May the owner write to this path below world/mutable? 0, with *journal_out when it is
 * a journal of his, or -VIV_REFUSED. Looks at the text only: whoever opens it must not
 * follow links.
 */
int artifact_check(const char *path, const char *owner, bool *journal_out, struct err *e);

/* The path that a task asks for, or NULL; *given_out: it asks, if for nothing usable. */
const char *artifact_asked(const cJSON *line, bool *given_out);

/* What a record is about. Strings are borrowed; name may be NULL. */
struct artifact {
	const char *id, *identity, *name, *generated_at;
	int64_t generation;
	const char *prompt, *text;
	bool output;		/* text is a command's output, prompt the command */
};

/* Append the record; kind is "Journal Entry" or "Suggestion". */
void artifact_record(struct buf *out, const char *kind, const struct artifact *a);

/* Does it say anything? */
bool artifact_blank(const char *text);

#endif
