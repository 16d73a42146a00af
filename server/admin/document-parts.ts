/** Pieces that the OpenAPI document of the admin API is made of; pure. */
import type { View } from "./view.ts";

export const schemaRef = (name: string): View => ({ $ref: `#/components/schemas/${name}` });

const json = (schema: View): View => ({ "application/json": { schema } });

/** A JSON answer. */
export const answer = (description: string, schema: View | string): View => ({
  description,
  content: json(typeof schema === "string" ? schemaRef(schema) : schema),
});

export const empty = (description: string): View => ({ description });

/** A JSON body. */
export const body = (schema: string): View => ({
  required: true,
  content: json(schemaRef(schema)),
});

export const pathParameter = (name: string, description: string): View => ({
  name,
  in: "path",
  required: true,
  description,
  schema: { type: "string" },
});

export const queryParameter = (name: string, description: string, schema: View): View => ({
  name,
  in: "query",
  required: false,
  description,
  schema,
});

export interface OperationParts {
  readonly id: string;
  readonly tag: string;
  readonly summary: string;
  readonly description?: string;
  readonly parameters?: readonly View[];
  readonly body?: string;
  /** By status; the failures are named by status alone. */
  readonly success: Readonly<Record<number, View>>;
  readonly failures?: Readonly<Record<number, string>>;
  readonly deprecated?: boolean;
}

export function operation(parts: OperationParts): View {
  const failures = Object.entries(parts.failures ?? {}).map(
    ([status, when]) => [status, answer(when, "Error")] as const,
  );
  return {
    operationId: parts.id,
    tags: [parts.tag],
    summary: parts.summary,
    description: parts.description,
    deprecated: parts.deprecated,
    parameters: parts.parameters,
    requestBody: parts.body === undefined ? undefined : body(parts.body),
    responses: {
      ...parts.success,
      ...Object.fromEntries(failures),
      default: answer("401 without the token, 403 under a foreign name, 500 a defect", "Error"),
    },
  };
}
