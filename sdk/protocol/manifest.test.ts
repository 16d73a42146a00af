import assert from "node:assert/strict";
import { test } from "node:test";
import * as restate from "@restatedev/restate-sdk/fetch";
import { ManifestError, parseManifest } from "./manifest.ts";
import { MANIFEST_VERSIONS, manifestContentType } from "./version.ts";
import type { ManifestVersion } from "./version.ts";

// The official SDK needs it for every request, and Node 20 does not have it.
if (!("withResolvers" in Promise)) {
  Object.defineProperty(Promise, "withResolvers", {
    value: () => {
      let settle: Parameters<ConstructorParameters<typeof Promise>[0]> | undefined;
      const promise = new Promise((...both) => {
        settle = both;
      });
      return { promise, resolve: settle?.[0], reject: settle?.[1] };
    },
  });
}

type Json = Record<string, unknown>;

const manifest = (fields: Json = {}): Json => ({
  protocolMode: "BIDI_STREAM",
  minProtocolVersion: 5,
  maxProtocolVersion: 6,
  services: [],
  ...fields,
});
const service = (fields: Json = {}): Json => ({
  name: "Svc",
  ty: "SERVICE",
  handlers: [],
  ...fields,
});
const withService = (fields: Json): Json => manifest({ services: [service(fields)] });
const withHandler = (handler: Json, fields: Json = {}): Json =>
  withService({ handlers: [{ name: "run", ...handler }], ...fields });

/** That the manifest is refused, at this path. */
function assertRefused(json: unknown, path: string): void {
  assert.throws(
    () => parseManifest(json),
    (error) => error instanceof ManifestError && error.message.startsWith(`${path} `),
    `${JSON.stringify(json)} must be refused at ${path}`,
  );
}

async function discover(
  version: ManifestVersion,
  services: Parameters<typeof restate.createEndpointHandler>[0]["services"],
): Promise<unknown> {
  const handle = restate.createEndpointHandler({ services, logger: () => {} });
  const accept = manifestContentType(version);
  const response = await handle(new Request("http://127.0.0.1/discover", { headers: { accept } }));
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("content-type"), accept);
  return response.json();
}

test("the manifests of the official SDK are read in every version, with nothing lost", async () => {
  const greeter = restate.service({ name: "Greeter", handlers: { greet: async () => "hello" } });
  const counter = restate.object({
    name: "Counter",
    handlers: {
      add: async () => 1,
      get: restate.handlers.object.shared(async () => 1),
    },
  });
  const flow = restate.workflow({
    name: "Flow",
    handlers: { run: async () => 1, status: async () => 2 },
  });
  for (const version of MANIFEST_VERSIONS) {
    const json = await discover(version, [greeter, counter, flow]);
    const parsed = parseManifest(json);
    assert.deepEqual(parsed, json);
    assert.deepEqual(
      parsed.services.map(({ name, ty }) => [name, ty]),
      [
        ["Greeter", "SERVICE"],
        ["Counter", "VIRTUAL_OBJECT"],
        ["Flow", "WORKFLOW"],
      ],
    );
  }
});

test("a manifest of the official SDK with every option is read with nothing lost", async () => {
  const full = restate.service({
    name: "Full",
    description: "with everything",
    metadata: { team: "a" },
    handlers: {
      plain: async () => 1,
      binary: restate.handlers.handler(
        {
          input: restate.serde.binary,
          output: restate.serde.binary,
          ingressPrivate: true,
          inactivityTimeout: 1000,
          abortTimeout: { seconds: 3 },
          journalRetention: { days: 1 },
          idempotencyRetention: { days: 2 },
          retryPolicy: {
            initialInterval: 10,
            maxInterval: { seconds: 3 },
            exponentiationFactor: 1.5,
            maxAttempts: 3,
            onMaxAttempts: "kill",
          },
          description: "bytes",
          metadata: { a: "b" },
        },
        async () => new Uint8Array(),
      ),
    },
    options: {
      ingressPrivate: false,
      inactivityTimeout: 0,
      retryPolicy: { maxAttempts: 5, onMaxAttempts: "pause" },
    },
  });
  const json = await discover(4, [full]);
  const parsed = parseManifest(json);
  assert.deepEqual(parsed, json);
  assert.equal(parsed.services[0]?.handlers[1]?.retryPolicyOnMaxAttempts, "KILL");
});

test("every field of the table is read", () => {
  const options = {
    documentation: "text",
    metadata: { a: "b", __proto__x: "c" },
    inactivityTimeout: 0,
    abortTimeout: 1,
    journalRetention: 2,
    idempotencyRetention: 3,
    enableLazyState: true,
    ingressPrivate: true,
    retryPolicyInitialInterval: 4,
    retryPolicyMaxInterval: 5,
    retryPolicyExponentiationFactor: 1.5,
    retryPolicyMaxAttempts: 0,
    retryPolicyOnMaxAttempts: "PAUSE",
  };
  const { idempotencyRetention: _, ...workflowOptions } = options;
  const json = manifest({
    lambdaCompression: "zstd",
    services: [
      {
        name: "_1.a-b_C",
        ty: "WORKFLOW",
        ...options,
        handlers: [
          {
            name: "_1a_B",
            ty: "WORKFLOW",
            workflowCompletionRetention: 6,
            input: { required: true, contentType: "application/*", jsonSchema: { type: "string" } },
            output: {
              contentType: "text/plain; charset=utf-8",
              setContentTypeIfEmpty: true,
              jsonSchema: true,
            },
            ...workflowOptions,
          },
          { name: "shared", input: {}, output: {}, ...options },
        ],
      },
    ],
  });
  assert.deepEqual(parseManifest(json), json);
});

test("null reads as absent", () => {
  const handler = { ty: null, input: null, output: { contentType: null }, documentation: null };
  assert.deepEqual(
    parseManifest({ ...withHandler(handler, { metadata: null }), lambdaCompression: null }),
    withHandler({ output: {} }),
  );
  assertRefused(manifest({ services: null }), "services");
});

test("a duration beyond the safe integers reads as the largest of them", () => {
  const parsed = parseManifest(withService({ journalRetention: 2 ** 64 }));
  assert.equal(parsed.services[0]?.journalRetention, Number.MAX_SAFE_INTEGER);
});

test("what is no manifest at all is refused", () => {
  for (const json of [undefined, null, 1, "x", true, [], [manifest()]]) {
    assertRefused(json, "the manifest");
  }
});

test("a missing field is refused by its path", () => {
  for (const name of ["protocolMode", "minProtocolVersion", "maxProtocolVersion", "services"]) {
    const { [name]: _, ...rest } = manifest();
    assertRefused(rest, name);
  }
  for (const name of ["name", "ty", "handlers"]) {
    assertRefused(withService({ [name]: undefined }), `services[0].${name}`);
  }
  assertRefused(withHandler({ name: undefined }), "services[0].handlers[0].name");
});

test("an unknown field is refused by its path", () => {
  assertRefused(manifest({ x: 1 }), "x");
  assertRefused(manifest({ x: null }), "x");
  assertRefused(withService({ inactivityTimeoutMs: 1 }), "services[0].inactivityTimeoutMs");
  assertRefused(
    withService({ workflowCompletionRetention: 1 }),
    "services[0].workflowCompletionRetention",
  );
  assertRefused(withHandler({ handlers: [] }), "services[0].handlers[0].handlers");
  assertRefused(withHandler({ input: { schema: 1 } }), "services[0].handlers[0].input.schema");
  assertRefused(
    withHandler({ output: { required: true } }),
    "services[0].handlers[0].output.required",
  );
  assertRefused(JSON.parse('{"__proto__": 1}'), "__proto__");
});

test("a field of the wrong type is refused by its path", () => {
  const wrong: readonly [string, readonly unknown[]][] = [
    ["documentation", [1, {}]],
    ["metadata", ["x", [], 1]],
    ["inactivityTimeout", [-1, 1.5, "1", true, Number.POSITIVE_INFINITY]],
    ["abortTimeout", [-1]],
    ["journalRetention", ["1 day"]],
    ["idempotencyRetention", [0.1]],
    ["enableLazyState", [1, "true"]],
    ["ingressPrivate", ["no"]],
    ["retryPolicyInitialInterval", [-5]],
    ["retryPolicyMaxInterval", [{}]],
    ["retryPolicyExponentiationFactor", [-1, "2", Number.NaN]],
    ["retryPolicyMaxAttempts", [-1, 2.5]],
    ["retryPolicyOnMaxAttempts", ["pause", "STOP", 1]],
  ];
  for (const [name, values] of wrong) {
    for (const value of values) {
      assertRefused(withService({ [name]: value }), `services[0].${name}`);
      assertRefused(withHandler({ [name]: value }), `services[0].handlers[0].${name}`);
    }
  }
  assertRefused(withService({ metadata: { "a b": 1 } }), 'services[0].metadata["a b"]');
  assertRefused(
    withHandler({ workflowCompletionRetention: "1" }),
    "services[0].handlers[0].workflowCompletionRetention",
  );
  assertRefused(withHandler({ ty: "shared" }), "services[0].handlers[0].ty");
  assertRefused(withService({ ty: "OBJECT" }), "services[0].ty");
  assertRefused(withService({ handlers: {} }), "services[0].handlers");
  assertRefused(withService({ handlers: ["run"] }), "services[0].handlers[0]");
  assertRefused(manifest({ services: {} }), "services");
  assertRefused(manifest({ services: [[]] }), "services[0]");
  assertRefused(manifest({ protocolMode: "BIDI" }), "protocolMode");
  assertRefused(manifest({ lambdaCompression: "gzip" }), "lambdaCompression");
  assertRefused(withHandler({ input: [] }), "services[0].handlers[0].input");
  assertRefused(withHandler({ input: { required: 1 } }), "services[0].handlers[0].input.required");
  assertRefused(withHandler({ output: "x" }), "services[0].handlers[0].output");
});

test("the versions are positive 32-bit integers in order", () => {
  for (const [min, max] of [
    [1, 1],
    [5, 2_147_483_647],
    [2_147_483_647, 2_147_483_647],
  ]) {
    assert.ok(parseManifest(manifest({ minProtocolVersion: min, maxProtocolVersion: max })));
  }
  assertRefused(manifest({ minProtocolVersion: 0 }), "minProtocolVersion");
  assertRefused(manifest({ minProtocolVersion: 5.5 }), "minProtocolVersion");
  assertRefused(manifest({ minProtocolVersion: "5" }), "minProtocolVersion");
  assertRefused(manifest({ maxProtocolVersion: 4 }), "maxProtocolVersion");
  assertRefused(manifest({ maxProtocolVersion: 2_147_483_648 }), "maxProtocolVersion");
});

test("names are of their alphabets and not reserved", () => {
  for (const name of ["a", "Z9", "_1", "_a", "a.b-c_d", "myrestate", "openapi2", "a--"]) {
    assert.ok(parseManifest(withService({ name })), name);
  }
  for (const name of ["", "_", "__a", "_.", "9a", "-a", ".a", "a/b", "a b", "ä", "a\n", "a%2f"]) {
    assertRefused(withService({ name }), "services[0].name");
  }
  for (const name of ["restate", "Restate.Admin", "RESTATEx", "openapi", "OpenAPI"]) {
    assertRefused(withService({ name }), "services[0].name");
  }
  for (const name of ["a", "_1", "a_b", "restate", "openapi"]) {
    assert.ok(parseManifest(withHandler({ name })), name);
  }
  for (const name of ["", "_", "__a", "9a", "a.b", "a-b", "a\n"]) {
    assertRefused(withHandler({ name }), "services[0].handlers[0].name");
  }
});

test("a name stands once", () => {
  const twice = [{ name: "run" }, { name: "stop" }, { name: "run" }];
  assertRefused(withService({ handlers: twice }), "services[0].handlers[2].name");
  assertRefused(manifest({ services: [service(), service()] }), "services[1].name");
});

test("a handler has a type its service can have", () => {
  const allowed: Readonly<Record<string, readonly string[]>> = {
    SERVICE: ["SHARED"],
    VIRTUAL_OBJECT: ["EXCLUSIVE", "SHARED"],
    WORKFLOW: ["SHARED", "WORKFLOW"],
  };
  for (const [serviceType, handlerTypes] of Object.entries(allowed)) {
    assert.ok(parseManifest(withHandler({}, { ty: serviceType })));
    for (const ty of ["EXCLUSIVE", "SHARED", "WORKFLOW"]) {
      const json = withHandler({ ty }, { ty: serviceType });
      if (handlerTypes.includes(ty)) assert.deepEqual(parseManifest(json), json);
      else assertRefused(json, "services[0].handlers[0].ty");
    }
  }
});

test("retention and privacy are refused where they cannot apply", () => {
  const run = { ty: "WORKFLOW" };
  assertRefused(
    withHandler({ ...run, idempotencyRetention: 1 }, run),
    "services[0].handlers[0].idempotencyRetention",
  );
  assert.ok(parseManifest(withHandler({ ...run, workflowCompletionRetention: 1 }, run)));
  assertRefused(
    withHandler({ workflowCompletionRetention: 1 }, run),
    "services[0].handlers[0].workflowCompletionRetention",
  );
  assertRefused(
    withHandler({ ingressPrivate: false }, { ingressPrivate: true }),
    "services[0].handlers[0].ingressPrivate",
  );
  assert.ok(parseManifest(withHandler({ ingressPrivate: true }, { ingressPrivate: true })));
  assert.ok(parseManifest(withHandler({ ingressPrivate: true }, { ingressPrivate: false })));
});

test("an input's content type is a media range and an output's a header value", () => {
  for (const contentType of ["*/*", "text/*", "application/json", "application/vnd.a+json; v=1"]) {
    assert.ok(parseManifest(withHandler({ input: { contentType } })), contentType);
  }
  for (const contentType of [
    "",
    "json",
    "*/json",
    "te*t/plain",
    "text/pl*",
    "a/b/c",
    "text/",
    "/x",
    "a b/c",
  ]) {
    assertRefused(
      withHandler({ input: { contentType } }),
      "services[0].handlers[0].input.contentType",
    );
  }
  assert.ok(parseManifest(withHandler({ output: { contentType: "application/octet-stream" } })));
  for (const contentType of ["", "a\r\nx: y", "text/plain\n", "tëxt", "\u0000"]) {
    assertRefused(
      withHandler({ output: { contentType } }),
      "services[0].handlers[0].output.contentType",
    );
  }
});
