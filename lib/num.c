/*
 * num: numbers from text, whole string or nothing.
 *
 * strtol and friends accept leading blanks, '+', hexadecimal, "inf" and trailing
 * rubbish; here the shape is checked first, so what is left for them is exact.
 */
#include "num.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *
digits(const char *s)
{
	while (isdigit((unsigned char)*s))
		s++;
	return s;
}

bool
num_int(const char *s, long long min, long long max, long long *out)
{
	const char *d = s + (*s == '-');
	long long v;

	if (d == digits(d) || *digits(d) != '\0')
		return false;
	errno = 0;
	v = strtoll(s, NULL, 10);
	if (errno != 0 || v < min || v > max)
		return false;
	*out = v;
	return true;
}

bool
num_real(const char *s, double min, double max, double *out)
{
	const char *d = s + (*s == '-');
	const char *e = digits(d);
	double v;

	if (e == d)
		return false;
	if (*e == '.') {
		d = e + 1;
		e = digits(d);
		if (e == d)
			return false;
	}
	if (*e == 'e' || *e == 'E') {
		d = e + 1;
		d += *d == '-' || *d == '+';
		e = digits(d);
		if (e == d)
			return false;
	}
	if (*e != '\0')
		return false;
	v = strtod(s, NULL);
	if (!isfinite(v) || v < min || v > max)
		return false;
	*out = v;
	return true;
}

/* Copy s without its last byte into part (32 bytes) when that byte is in set;
 * returns the byte, or 0 when there is no suffix. */
static char
suffix(const char *s, const char *set, char part[32])
{
	size_t n = strlen(s);
	char c = n > 0 ? s[n - 1] : '\0';

	if (n == 0 || n > 31)
		return '\0';
	if (strchr(set, c) == NULL)
		c = '\0';
	memcpy(part, s, n - (c != '\0'));
	part[n - (c != '\0')] = '\0';
	return c;
}

bool
num_size(const char *s, long long min, long long max, long long *out)
{
	char part[32] = "";
	char c = suffix(s, "kMG", part);
	long long unit = c == 'k' ? 1024 :
	    c == 'M'		  ? 1024 * 1024 :
	    c == 'G'		  ? 1024LL * 1024 * 1024 :
				    1;
	long long v;

	if (!num_int(part, 0, (1LL << 62) / unit, &v) || v * unit < min || v * unit > max)
		return false;
	*out = v * unit;
	return true;
}

bool
num_seconds(const char *s, double min, double max, double *out)
{
	char part[32] = "";
	char c = suffix(s, "smhd", part);
	double unit = c == 'm' ? 60 : c == 'h' ? 3600 : c == 'd' ? 86400 : 1;
	double v;

	if (!num_real(part, 0, 1e12, &v) || v * unit < min || v * unit > max)
		return false;
	*out = v * unit;
	return true;
}

int64_t
num_whole(double v, int64_t dflt)
{
	return v >= -9007199254740992.0 && v <= 9007199254740992.0 ? (int64_t)v : dflt;
}

bool
num_hex4(const char *p, const char *end, uint32_t *out)
{
	uint32_t v = 0;

	if (end - p < 4)
		return false;
	for (int i = 0; i < 4; i++) {
		char ch = p[i];

		if (ch >= '0' && ch <= '9')
			v = v << 4 | (uint32_t)(ch - '0');
		else if ((ch | 32) >= 'a' && (ch | 32) <= 'f')
			v = v << 4 | (uint32_t)((ch | 32) - 'a' + 10);
		else
			return false;
	}
	*out = v;
	return true;
}
