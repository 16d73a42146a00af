/** The paths on work that is held, for the OpenAPI document; pure. */
import { answer, operation } from "./document-parts.ts";

const string = { type: "string" };
const boolean = { type: "boolean" };
const count = { type: "integer", minimum: 0 };

export const HELD_PATHS = {
  "/held": {
    get: operation({
      id: "held",
      tag: "server",
      summary: "Is work held since a state of the past was restored, and what had run after it?",
      success: { 200: answer("Whether it is held, and the report", "Held") },
    }),
  },
  "/held/release": {
    post: operation({
      id: "release_held",
      tag: "server",
      summary: "Let the work go that is held",
      description:
        "Steps that ran after the restored state run again. It is no error to ask twice.",
      success: { 200: answer("Whether it was held until now", "HeldRelease") },
    }),
  },
};

const moment = {
  type: "object",
  properties: { segment: count, at: { type: "string", format: "date-time" } },
  required: ["segment", "at"],
};

const ranSince = {
  type: "object",
  properties: {
    id: string,
    target: string,
    status_then: string,
    entries_then: { ...count, description: "Of its journal" },
    status_latest: { ...string, description: "`gone`: over, and deleted since" },
    entries_latest: count,
  },
  required: ["id", "target", "status_then", "entries_then", "status_latest", "entries_latest"],
};

export const HELD_SCHEMAS = {
  Held: {
    type: "object",
    properties: {
      held: boolean,
      restored_to: moment,
      latest: {
        anyOf: [moment, { type: "null" }],
        description: "What the report compares with; null where that could not be had",
      },
      problem: {
        anyOf: [string, { type: "null" }],
        description: "Why the latest state is not, or not all, of what there was",
      },
      total: { ...count, description: "Open invocations that went on after the restored state" },
      unknown_count: { ...count, description: "Invocations that began after it" },
      invocations: {
        type: "array",
        items: ranSince,
        description: "The first thousand of them, in the order of their creation",
      },
    },
    required: ["held"],
  },
  HeldRelease: { type: "object", properties: { released: boolean }, required: ["released"] },
};
