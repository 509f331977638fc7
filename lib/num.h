/* num: numbers from text, whole string or nothing. */
#ifndef VIV_NUM_H
#define VIV_NUM_H

#include <stdbool.h>
#include <stdint.h>

/* Base 10, optional '-', no blanks, min <= value <= max; *out untouched on false. */
bool num_int(const char *s, long long min, long long max, long long *out);

/* Finite decimal number with optional fraction and exponent, in [min, max]. */
bool num_real(const char *s, double min, double max, double *out);

/* Bytes: as num_int, with an optional suffix k, M or G (powers of 1024). */
bool num_size(const char *s, long long min, long long max, long long *out);

/* Seconds: as num_real, with an optional suffix s, m, h or d. */
bool num_seconds(const char *s, double min, double max, double *out);

/* A number of JSON's as a whole one, cut towards zero; dflt when it is beyond 2^53, where
 * a double is no longer every integer. */
int64_t num_whole(double v, int64_t dflt);

/* The value of four hexadecimal digits at p, before end. */
bool num_hex4(const char *p, const char *end, uint32_t *out);

#endif
