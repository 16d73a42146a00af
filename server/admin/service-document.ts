/** The OpenAPI 3.1 document of one service: how callers reach its handlers through the ingress (HTTP API 1.12); pure. */
import type { ManifestHandler, ManifestService } from "../../sdk/protocol/manifest.ts";
import { relocated } from "./json-schema.ts";
import type { View } from "./view.ts";

export function serviceDocument(
  service: ManifestService,
  revision: number,
  ingressUrl: string,
): View {
  const handlers = service.handlers.map((handler) => new HandlerPaths(service, handler));
  const isWorkflow = service.ty === "WORKFLOW";
  return {
    openapi: "3.1.0",
    info: { title: service.name, version: String(revision), description: service.documentation },
    servers: [{ url: ingressUrl, description: "Ingress" }],
    paths: {
      ...merged(handlers.map((each) => each.paths())),
      ...(isWorkflow ? workflowPaths(service) : {}),
    },
    components: {
      parameters: PARAMETERS,
      responses: RESPONSES,
      schemas: { ...SCHEMAS, ...merged(handlers.map((each) => each.schemas())) },
    },
  };
}

function merged(views: readonly View[]): View {
  return Object.fromEntries(views.flatMap((view) => Object.entries(view)));
}

const ref = (kind: string, name: string): View => ({ $ref: `#/components/${kind}/${name}` });
const parameter = (name: string): View => ref("parameters", name);
const response = (name: string): View => ref("responses", name);

/** The operations on one handler. */
class HandlerPaths {
  readonly #service: ManifestService;
  readonly #handler: ManifestHandler;

  constructor(service: ManifestService, handler: ManifestHandler) {
    this.#service = service;
    this.#handler = handler;
  }

  paths(): View {
    const { ty, name } = this.#service;
    const isKeyed = ty !== "SERVICE";
    const path = `${name}/${isKeyed ? "{key}/" : ""}${this.#handler.name}`;
    const parameters = isKeyed ? [parameter("key")] : [];
    const onHandler = {
      [`/restate/call/${path}`]: { parameters, post: this.#call() },
      [`/restate/send/${path}`]: { parameters, post: this.#send() },
    };
    if (this.#isRun()) return onHandler;
    const byKey = `/restate/invocation/${path}/{idempotencyKey}`;
    const keyed = [...parameters, parameter("idempotencyKeyPath")];
    const tags = [this.#handler.name];
    const what = `an idempotent call of ${this.#handler.name}`;
    return {
      ...onHandler,
      [`${byKey}/attach`]: { parameters: keyed, get: this.#attach(this.#handler.name, tags, what) },
      [`${byKey}/output`]: { parameters: keyed, get: this.#output(this.#handler.name, tags, what) },
    };
  }

  /** What the handler declares, under names of its own. */
  schemas(): View {
    const { input, output } = this.#handler;
    return Object.fromEntries(
      [["Input", input?.jsonSchema] as const, ["Output", output?.jsonSchema] as const].flatMap(
        ([side, schema]) => {
          const name = this.#schemaName(side);
          return schema === undefined
            ? []
            : [[name, relocated(schema, `#/components/schemas/${name}`)]];
        },
      ),
    );
  }

  #isRun(): boolean {
    return this.#service.ty === "WORKFLOW" && this.#handler.ty === "WORKFLOW";
  }

  #schemaName(side: "Input" | "Output"): string {
    return this.#handler.name + side;
  }

  #call(): View {
    const { name, documentation, metadata } = this.#handler;
    return {
      tags: [name],
      operationId: name,
      summary: `Call ${name} and wait for its result`,
      description: documentation,
      parameters: this.#isRun() ? [] : [parameter("idempotencyKeyHeader")],
      requestBody: this.#requestBody(),
      responses: { "200": this.#success(), default: response("GenericError") },
      "x-metadata": metadata,
    };
  }

  #send(): View {
    const { name, documentation } = this.#handler;
    return {
      tags: ["Send"],
      operationId: `${name}Send`,
      summary: `Start ${name} and do not wait`,
      description: documentation,
      parameters: [
        parameter("delay"),
        ...(this.#isRun() ? [] : [parameter("idempotencyKeyHeader")]),
      ],
      requestBody: this.#requestBody(),
      responses: {
        "200": response("Send"),
        "202": response("Send"),
        default: response("GenericError"),
      },
    };
  }

  #attach(operation: string, tags: readonly string[], what: string): View {
    return {
      tags,
      operationId: `${operation}Attach`,
      summary: `Wait for the result of ${what}`,
      responses: {
        "200": this.#success(),
        "404": response("InvocationNotFoundError"),
        default: response("GenericError"),
      },
    };
  }

  #output(operation: string, tags: readonly string[], what: string): View {
    const attach = this.#attach(operation, tags, what);
    return {
      ...attach,
      operationId: `${operation}Output`,
      summary: `Get the result of ${what}, if it is there`,
      responses: {
        "200": this.#success(),
        "404": response("InvocationNotFoundError"),
        "470": response("InvocationNotReadyError"),
        default: response("GenericError"),
      },
    };
  }

  #requestBody(): View | undefined {
    const { input } = this.#handler;
    if (input === undefined) return { required: false, content: { "*/*": {} } };
    const type = input.contentType ?? (input.jsonSchema === undefined ? null : "application/json");
    if (type === null) return undefined;
    const schema =
      input.jsonSchema === undefined ? {} : { schema: ref("schemas", this.#schemaName("Input")) };
    return { required: input.required ?? false, content: { [type]: schema } };
  }

  #success(): View {
    const { output } = this.#handler;
    const description = "The result";
    const type = output === undefined ? "application/json" : output.contentType;
    if (type === undefined) return { description };
    const schema =
      output?.jsonSchema === undefined
        ? {}
        : { schema: ref("schemas", this.#schemaName("Output")) };
    return { description, content: { [type]: schema } };
  }

  /** Of the run handler of a workflow: one run for each key. */
  workflowPaths(): View {
    const { name } = this.#service;
    const parameters = [parameter("key")];
    const what = "the workflow's run";
    return {
      [`/restate/workflow/${name}/{key}/attach`]: {
        parameters,
        get: this.#attach(this.#handler.name, [this.#handler.name], what),
      },
      [`/restate/workflow/${name}/{key}/output`]: {
        parameters,
        get: this.#output(this.#handler.name, [this.#handler.name], what),
      },
    };
  }
}

function workflowPaths(service: ManifestService): View {
  const run = service.handlers.find(({ ty }) => ty === "WORKFLOW");
  return run === undefined ? {} : new HandlerPaths(service, run).workflowPaths();
}

const PARAMETERS = {
  key: {
    name: "key",
    in: "path",
    required: true,
    description: "The key of the object or workflow",
    schema: { type: "string" },
  },
  delay: {
    name: "delay",
    in: "query",
    required: false,
    description: "How long to wait before it starts, such as 10s, 1h 30m or PT90S",
    schema: { type: "string" },
  },
  idempotencyKeyHeader: {
    name: "idempotency-key",
    in: "header",
    required: false,
    description: "Calls with the same key are one call",
    schema: { type: "string" },
  },
  idempotencyKeyPath: {
    name: "idempotencyKey",
    in: "path",
    required: true,
    description: "The idempotency key of the call",
    schema: { type: "string" },
  },
};

const error = (description: string): View => ({
  description,
  content: { "application/json": { schema: ref("schemas", "RestateError") } },
});

const RESPONSES = {
  GenericError: error("The request was refused, or the invocation failed"),
  InvocationNotFoundError: error("There is no such invocation, or it is not kept any more"),
  InvocationNotReadyError: error("The invocation has no result yet"),
  Send: {
    description: "Stored; it will run. With status PreviouslyAccepted it was there before",
    content: {
      "application/json": {
        schema: {
          type: "object",
          required: ["invocationId", "status"],
          properties: {
            invocationId: { type: "string" },
            status: { type: "string", enum: ["Accepted", "PreviouslyAccepted"] },
            executionTime: { type: "string", format: "date-time" },
          },
        },
      },
    },
  },
};

const SCHEMAS = {
  RestateError: {
    type: "object",
    title: "Error",
    required: ["message"],
    properties: {
      code: { type: "number", description: "Of the failure, as in HTTP" },
      message: { type: "string" },
      source: { type: "string", enum: ["ingress", "invocation"] },
      reason: { type: "string", description: "Stable, for programs" },
      metadata: { type: "object", additionalProperties: { type: "string" } },
      stacktrace: { type: "string" },
    },
  },
};
