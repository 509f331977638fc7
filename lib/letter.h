/* letter: which plain letter a character is in another dress. Pure. */
#ifndef VIV_LETTER_H
#define VIV_LETTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LETTER_MAX = 4 };	/* bytes that one character can become */

/* The lower-case ASCII letters or digits that cp is a form of, or looks like; their
 * number, 0 when it is none. */
size_t letter_plain(uint32_t cp, char out[LETTER_MAX]);

/* Does it leave no mark of its own (zero-width, soft hyphen, combining)? */
bool letter_invisible(uint32_t cp);

#endif
