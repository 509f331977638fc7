/* docs: docs-only mode, in which results become markdown proposals. */
#ifndef VIV_DOCS_H
#define VIV_DOCS_H

#include <stdbool.h>

/* $VIVARIUM_MVP_DOCS_ONLY: on unless its trimmed lower-case value is 0, false or no
 * (reference core.md 0.5). */
bool docs_only(void);

#endif
