/* docs: the mode in which residents only write documentation (reference core.md 2.12). */
#ifndef VIV_DOCS_H
#define VIV_DOCS_H

#include <stdbool.h>

/* $VIVARIUM_MVP_DOCS_ONLY: on, unless it says 0, false or no (blanks and case aside). */
bool docs_only(void);

#endif
