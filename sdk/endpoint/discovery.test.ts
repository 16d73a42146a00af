import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Context } from "../define/context.ts";
import { serde } from "../define/serde.ts";
import { handlers } from "../define/handlers.ts";
import type { ServiceOptions } from "../define/options.ts";
import type {
  ObjectContext,
  ObjectSharedContext,
  WorkflowContext,
  WorkflowSharedContext,
} from "../define/keyed-context.ts";
import { object, service, workflow } from "../define/service.ts";
import { parseManifest } from "../protocol/manifest.ts";
import { makeManifest, versionProblem } from "./discovery.ts";
import { ServedServices } from "./served-services.ts";

type Definition = Parameters<typeof manifestOf>[0];

const manifestOf = (
  definition: ReturnType<typeof service<string, object>>,
  defaultServiceOptions?: ServiceOptions,
) => {
  const options = defaultServiceOptions === undefined ? {} : { defaultServiceOptions };
  const { models } = new ServedServices({ services: [definition], ...options });
  return makeManifest(models, { protocolMode: "REQUEST_RESPONSE" });
};

const plain: Definition = service({ name: "S", handlers: { h: async (_ctx: Context) => {} } });

describe("the manifest", () => {
  it("says JSON for handlers that do not say", () => {
    assert.deepEqual(manifestOf(plain), {
      protocolMode: "REQUEST_RESPONSE",
      minProtocolVersion: 5,
      maxProtocolVersion: 7,
      services: [
        {
          name: "S",
          ty: "SERVICE",
          handlers: [
            {
              name: "h",
              input: { required: false, contentType: "application/json" },
              output: { setContentTypeIfEmpty: false, contentType: "application/json" },
            },
          ],
        },
      ],
    });
  });

  it("has every option of services and handlers, in milliseconds", () => {
    const options: ServiceOptions = {
      idempotencyRetention: { days: 1 },
      journalRetention: { hours: 1 },
      inactivityTimeout: { minutes: 1 },
      abortTimeout: { seconds: 1 },
      ingressPrivate: true,
      retryPolicy: {
        initialInterval: 50,
        maxInterval: { seconds: 10 },
        exponentiationFactor: 1.5,
        maxAttempts: 3,
        onMaxAttempts: "kill",
      },
    };
    const fields = {
      idempotencyRetention: 86_400_000,
      journalRetention: 3_600_000,
      inactivityTimeout: 60_000,
      abortTimeout: 1000,
      ingressPrivate: true,
      retryPolicyInitialInterval: 50,
      retryPolicyMaxInterval: 10_000,
      retryPolicyExponentiationFactor: 1.5,
      retryPolicyMaxAttempts: 3,
      retryPolicyOnMaxAttempts: "KILL",
    };
    const manifest = manifestOf(
      service({
        name: "S",
        description: "of the service",
        metadata: { a: "b" },
        options,
        handlers: {
          h: handlers.handler(
            {
              ...options,
              description: "of the handler",
              metadata: { c: "d" },
              accept: "text/*",
              output: serde.binary,
              setOutputContentTypeIfEmpty: true,
            },
            async (_ctx: Context, _text: string) => Uint8Array.of(),
          ),
        },
      }),
    );
    const [first] = manifest.services;
    const handler = first?.handlers[0];
    assert.deepEqual(first, {
      name: "S",
      ty: "SERVICE",
      documentation: "of the service",
      metadata: { a: "b" },
      ...fields,
      handlers: [handler],
    });
    assert.deepEqual(handler, {
      name: "h",
      documentation: "of the handler",
      metadata: { c: "d" },
      input: { required: false, contentType: "text/*" },
      output: { setContentTypeIfEmpty: true, contentType: "application/octet-stream" },
      ...fields,
    });
    // The server's strict reader takes it as well.
    assert.deepEqual(parseManifest(JSON.parse(JSON.stringify(manifest))), manifest);
  });

  it("shows schemas, and no content type where there is none", () => {
    const schema = { type: "string" };
    const manifest = manifestOf(
      service({
        name: "S",
        handlers: {
          h: handlers.handler(
            { input: new serde.JsonSerde<string>(schema), output: serde.empty },
            async (_ctx: Context, _text: string) => {},
          ),
        },
      }),
    );
    const handler = manifest.services[0]?.handlers[0];
    assert.deepEqual(handler?.input, {
      required: false,
      contentType: "application/json",
      jsonSchema: schema,
    });
    assert.deepEqual(handler.output, { setContentTypeIfEmpty: false });
  });

  it("takes the options of the endpoint for services that do not say", () => {
    const definition = service({
      name: "S",
      options: { abortTimeout: 5, retryPolicy: { maxAttempts: 3 } },
      handlers: { h: async (_ctx: Context) => {} },
    });
    const manifest = manifestOf(definition, {
      abortTimeout: 1,
      journalRetention: 2,
      retryPolicy: { maxAttempts: 1, initialInterval: 7 },
      serde: serde.binary,
    });
    const [first] = manifest.services;
    assert.deepEqual(
      [
        first?.abortTimeout,
        first?.journalRetention,
        first?.retryPolicyMaxAttempts,
        first?.retryPolicyInitialInterval,
        first?.handlers[0]?.input?.contentType,
      ],
      [5, 2, 3, 7, "application/octet-stream"],
    );
  });

  it("has the kinds of objects and workflows and of their handlers, and their options", () => {
    const counter = manifestOf(
      object({
        name: "Counter",
        options: { enableLazyState: true },
        handlers: {
          add: async (_ctx: ObjectContext) => {},
          read: handlers.object.shared(
            { enableLazyState: false },
            async (_ctx: ObjectSharedContext) => {},
          ),
        },
      }),
    );
    const [first] = counter.services;
    assert.deepEqual(
      [first?.ty, first?.enableLazyState, first?.handlers.map((each) => each.ty)],
      ["VIRTUAL_OBJECT", true, ["EXCLUSIVE", "SHARED"]],
    );
    assert.deepEqual(
      first?.handlers.map((each) => each.enableLazyState),
      [undefined, false],
    );
    const signup = manifestOf(
      workflow({
        name: "Signup",
        options: { workflowRetention: { days: 3 }, idempotencyRetention: { days: 1 } },
        handlers: {
          run: async (_ctx: WorkflowContext) => {},
          ask: async (_ctx: WorkflowSharedContext) => {},
        },
      }),
    );
    const [own] = signup.services;
    assert.deepEqual(
      [own?.ty, own?.idempotencyRetention, own?.handlers.map((each) => each.ty)],
      ["WORKFLOW", 86_400_000, ["WORKFLOW", "SHARED"]],
    );
    assert.deepEqual(
      own?.handlers.map((each) => each.workflowCompletionRetention),
      [3 * 86_400_000, undefined],
    );
    for (const manifest of [counter, signup]) {
      assert.deepEqual(parseManifest(JSON.parse(JSON.stringify(manifest))), manifest);
      assert.match(versionProblem(manifest, 2) ?? "", /needs manifest version 3/);
    }
  });

  it("cannot be told to a server that does not know an option", () => {
    const timeout = manifestOf(plain, { abortTimeout: 1 });
    assert.match(versionProblem(timeout, 2) ?? "", /abortTimeout of S needs manifest version 3/);
    assert.equal(versionProblem(timeout, 3), undefined);
    const retry = manifestOf(plain, { retryPolicy: { maxAttempts: 1 } });
    assert.match(versionProblem(retry, 3) ?? "", /retryPolicyMaxAttempts of S needs .* 4/);
    assert.equal(versionProblem(retry, 4), undefined);
    assert.equal(versionProblem(manifestOf(plain), 2), undefined);
  });
});
