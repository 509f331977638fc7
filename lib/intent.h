/*
 * intent: what a prompt wants, wants kept and wants left alone (reference core.md 1.2, 2.8).
 * Pure. The record: goal, constraints, preferences, anti_goals, clarifications,
 * original_text, confidence.
 */
#ifndef VIV_INTENT_H
#define VIV_INTENT_H

#include <cjson/cJSON.h>

#include "buf.h"

/* The record of a text; the caller deletes. */
cJSON *intent_extract(const char *text);

/* The record of a task: its "phase4_intent" or "intent" brought to form, else extracted
 * from its prompt; NULL when it has none of them. The caller deletes. */
cJSON *intent_of(const cJSON *task);

/* The record as a block for a model to read. */
void intent_block(const cJSON *intent, struct buf *out);

#endif
