/* utf8: strict UTF-8 (RFC 3629): no overlongs, no surrogates, at most U+10FFFF. */
#ifndef VIV_UTF8_H
#define VIV_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Decode one code point at s (n bytes left); returns its length, 0 when invalid. */
size_t utf8_decode(const char *s, size_t n, uint32_t *cp_out);

/* Offset of the first invalid byte, n when all is valid. */
size_t utf8_invalid(const char *s, size_t n);

/* Code points in valid text of n bytes. */
size_t utf8_count(const char *s, size_t n);

/* Bytes of the longest prefix that has at most max code points, or columns. */
size_t utf8_prefix(const char *s, size_t n, size_t max);
size_t utf8_prefix_cols(const char *s, size_t n, size_t max_cols, size_t *cols_out);

/* The text, or where it is wider than cols (1 or more) its end behind a "~"; the caller
 * frees. For names that differ at the end. */
char *utf8_end_cols(const char *s, size_t cols);

/* Append to dst (size bytes, NUL-terminated) the text made safe for a terminal
 * row: control characters and invalid bytes become '?'. Returns the length. */
size_t utf8_printable(char *dst, size_t size, const char *s, size_t n);

/* Is it a letter, digit or underscore, as a word is made of? Is it white space? */
bool utf8_word(uint32_t cp);
bool utf8_blank(uint32_t cp);

struct utf8_range {
	uint32_t lo, hi;
};

bool utf8_in(uint32_t cp, const struct utf8_range *r, size_t n);

/* Write cp as UTF-8 to dst (4 bytes room); returns the length. */
size_t utf8_encode(char *dst, uint32_t cp);

#endif
