/*
 * docs: docs-only mode, in which results become markdown proposals.
 *
 * On by default: what is unset, empty or unknown is on, so that a slip of the pen never
 * gives a model more than it should have.
 */
#include "docs.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

bool
docs_only(void)
{
	static const char *const off[] = {"0", "false", "no"};
	static const char blank[] = " \t\n\v\f\r";
	const char *v = getenv("VIVARIUM_MVP_DOCS_ONLY");
	size_t n;

	if (v == NULL)
		return true;
	v += strspn(v, blank);
	n = strlen(v);
	while (n > 0 && strchr(blank, v[n - 1]) != NULL)
		n--;
	for (size_t i = 0; i < sizeof(off) / sizeof(off[0]); i++)
		if (n == strlen(off[i]) && strncasecmp(v, off[i], n) == 0)
			return false;
	return true;
}
