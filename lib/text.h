/* text: slices of UTF-8 text, and whole words in them. Pure; no slice owns its bytes. */
#ifndef VIV_TEXT_H
#define VIV_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "buf.h"

struct text {
	const char *p;
	size_t n;		/* bytes */
};

struct text text_of(const char *s);
char *text_dup(struct text t);		/* the caller frees */
bool text_same(struct text a, struct text b);	/* ASCII letter case aside */

/* Without white space, or what is in set (ASCII) too, at both ends; at the left end. */
struct text text_trim(struct text t);
struct text text_strip(struct text t, const char *set);
struct text text_lstrip(struct text t, const char *set);

/* Cut to max code points, with "..." behind when something was cut; the caller frees. */
char *text_cut(struct text t, size_t max);

/*
 * Cut off everything up to the first character of set, which is dropped: false when
 * nothing is left. Begin with *rest = the whole text; an empty piece is a piece.
 */
bool text_next(struct text *rest, const char *set, struct text *piece_out);

/*
 * Bytes of the whole word that stands at offset at of t, 0 when it does not. word is
 * lower-case ASCII; a blank in it stands for any white space; a '+' at its end lets it be
 * bent (s, es, d, ed, ing). The letters around it decide what is whole.
 */
size_t text_word_at(struct text t, size_t at, const char *word);

/* The first of the words (NULL-terminated, longer ones before their own beginnings): its
 * offset and length, or false. */
bool text_find(struct text t, const char *const *words, size_t *at_out, size_t *len_out);

size_t text_words(struct text t);	/* how many are divided by white space */

#endif
