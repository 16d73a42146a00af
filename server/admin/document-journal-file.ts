/** The shape of an exported journal, for the OpenAPI document; pure. */
import { schemaRef } from "./document-parts.ts";

const string = { type: "string" };
const count = { type: "integer", minimum: 0 };
const orNull = (schema: object) => ({ anyOf: [schema, { type: "null" }] });

const entry = {
  type: "object",
  properties: {
    type: { ...count, description: "The message type of the service protocol" },
    message: string,
    at: { type: "string", format: "date-time" },
    body: { type: "string", contentEncoding: "base64" },
  },
  required: ["type", "message", "at", "body"],
};

const fields = {
  format: { ...count, description: "Of the file; 1" },
  invocation: string,
  service: string,
  handler: string,
  key: orNull(string),
  status: string,
  protocolVersion: orNull(count),
  sdk: orNull(string),
  entries: { type: "array", items: entry },
};

export const JOURNAL_FILE_SCHEMAS = {
  JournalFile: { type: "object", properties: fields, required: Object.keys(fields) },
  JournalFilePage: {
    type: "object",
    properties: {
      journal: schemaRef("JournalFile"),
      next: { ...orNull(count), description: "Where the next page begins" },
    },
    required: ["journal", "next"],
  },
};
