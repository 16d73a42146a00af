/** For tests of the rules: files, and what is found in them: the rule and the text it points at, in their order. */

export interface LintCase {
  readonly title: string;
  readonly code: string;
  readonly found: readonly (readonly [rule: string, text: string])[];
}

const SDK = `import { type Context, handlers, implement, iface, object, service, RestatePromise } from "@holdfast/sdk";
import type * as restate from "@restatedev/restate-sdk";
`;

const inHandler = (body: string): string =>
  `${SDK}export const s = service({ name: "S", handlers: { h: async (ctx: Context, input: any) => {
${body}
} } });\n`;

const DIFFERS = "no-nondeterminism";
const NESTED = "no-nested-context";
const AWAIT = "await-steps";

export const LINT_CASES: readonly LintCase[] = [
  {
    title: "every function of the runtime that differs",
    code: inHandler(`
      Date.now(); new Date(); Date(); Math.random(); globalThis.Math.random();
      crypto.randomUUID(); crypto.getRandomValues(input); window.crypto["randomUUID"]();
      setTimeout(input, 1); setInterval(input, 1); await fetch(input);`),
    found: [
      "Date.now()",
      "new Date()",
      "Date()",
      "Math.random()",
      "globalThis.Math.random()",
      "crypto.randomUUID()",
      "crypto.getRandomValues(input)",
      'window.crypto["randomUUID"]()',
      "setTimeout(input, 1)",
      "setInterval(input, 1)",
      "fetch(input)",
    ].map((text) => [DIFFERS, text] as const),
  },
  {
    title: "what is imported from Node",
    code: `import { randomUUID as uuid, createHash } from "node:crypto";
import nodeCrypto, * as all from "crypto";
import { setTimeout as delay } from "node:timers/promises";
${inHandler("uuid(); createHash(input); nodeCrypto.randomBytes(1); all.randomInt(3); await delay(1);")}`,
    found: [
      [DIFFERS, "uuid()"],
      [DIFFERS, "nodeCrypto.randomBytes(1)"],
      [DIFFERS, "all.randomInt(3)"],
      [DIFFERS, "delay(1)"],
    ],
  },
  {
    title: "nothing in what is the same every time",
    code: `import { fetch, random as Math } from "./own.js";
${inHandler(`
      new Date(input); Date.UTC(2020); Math.random(); await fetch(input);
      const setTimeout = (x: any) => x; setTimeout(input); clearTimeout(input);
      ctx.rand.random(); await ctx.date.now(); await ctx.fetch(input); input.now(); input.Date.now();`)}`,
    found: [],
  },
  {
    title: "nothing outside of handlers, and in steps",
    code: `${inHandler(`
      await ctx.run("a", async () => { const at = Date.now(); return items().map(() => Math.random() + at); });
      await ctx.run(() => fetch(input));
      const act = async () => crypto.randomUUID();
      await ctx.run("b", act);
      await ctx.run("c", later);
      async function later() { return new Date(); }
      await ctx.saga(async (saga) => {
        await saga.run("d", () => Date.now(), { undo: () => fetch(input) });
      });`)}
const items = () => [Date.now()];
export const other = async (c: { run(f: () => number): number }) => c.run(() => Date.now());
`,
    found: [],
  },
  {
    title: "handlers by their position, however they are given",
    code: `${SDK}
const named = async (ctx, input) => Date.now();
async function declared(ctx) { return Math.random(); }
const marked = handlers.object.shared({ accept: "*/*" }, async (ctx) => Date.now() + 1);
object({ name: "O", handlers: {
  named, marked, other: declared,
  async method(ctx) { return Date.now() + 2; },
  shared: handlers.object.shared(async (ctx) => Date.now() + 3),
} });
implement(iface.service("I", {}), { handlers: { h: async (ctx) => Date.now() + 4 } });
const unrelated = { handlers: { h: async (ctx) => Date.now() } };
`,
    found: [
      [DIFFERS, "Date.now()"],
      [DIFFERS, "Math.random()"],
      [DIFFERS, "Date.now()"],
      [DIFFERS, "Date.now()"],
      [DIFFERS, "Date.now()"],
      [DIFFERS, "Date.now()"],
    ],
  },
  {
    title: "handlers and their helpers by the type of the context, of either SDK",
    code: `import type { ObjectContext as Renamed } from "@holdfast/sdk";
import type { Context } from "hono";
import * as other from "elsewhere";
${SDK.replace("type Context, ", "type Context as Own, ")}
export const helper = async (context: Own) => Date.now();
export async function keyed(ctx: restate.ObjectSharedContext) { return Math.random(); }
export const renamed = async (ctx: Renamed<{ a: 1 }>, input = 1) => Math.random() + input;
export const web = async (ctx: Context) => Date.now();
export const foreign = async (ctx: other.Context) => Date.now();
export const local = async (ctx: Local) => Date.now();
interface Local { run(): void }
`,
    found: [
      [DIFFERS, "Date.now()"],
      [DIFFERS, "Math.random()"],
      [DIFFERS, "Math.random()"],
    ],
  },
  {
    title: "the context in a step, wherever in it",
    code: inHandler(`
      await ctx.run("a", async () => { await ctx.sleep(1); });
      await ctx.run("b", () => [1].map(() => helper(ctx)));
      await ctx.run("c", act);
      async function act() { return ctx.rand.uuidv4(); }
      await ctx.saga(async (saga) => {
        await saga.run("d", () => saga.run("e", () => 1), { undo: async () => { await ctx.sleep(1); } });
        saga.compensate("f", () => ctx.sleep(1));
      });
      function helper(other: unknown) { return other; }`),
    found: [
      [NESTED, "ctx"],
      [NESTED, "ctx"],
      [NESTED, "ctx"],
      [NESTED, "saga"],
      [NESTED, "ctx"],
    ],
  },
  {
    title: "nothing where a step only reads what is the same, or has a name of its own",
    code: inHandler(`
      await ctx.run("a", () => [ctx.request().id, ctx.key, ctx.console.log(1)]);
      await ctx.run("b", (ctx) => ctx.idempotencyKey);
      await ctx.run(ctx.request().id, (step) => step.signal);
      const value = ctx.rand.random();
      await ctx.run("c", () => value);`),
    found: [],
  },
  {
    title: "promises that nobody waits for",
    code: inHandler(`
      ctx.run("a", () => 1);
      void ctx.sleep(1);
      ctx.serviceClient(input).greet("x");
      ctx.objectClient(input, "k").add(1).orTimeout(5);
      input && ctx.genericCall(input);
      input ? ctx.recv("t") : 0;
      ctx.run("b", () => 1).then(() => 2).catch(() => 3);
      const never = ctx.run("c", () => 1);
      ctx.date.now();
      ctx.promise("p").get();
      ctx.sleep(1), input;
      for (const each of input) ctx.run("d", () => each);
      await ctx.saga(async (saga) => { saga.run("e", () => 1, { undo: () => 1 }); });`),
    found: [
      'ctx.run("a", () => 1)',
      "ctx.sleep(1)",
      'ctx.serviceClient(input).greet("x")',
      'ctx.objectClient(input, "k").add(1)',
      "ctx.genericCall(input)",
      'ctx.recv("t")',
      'ctx.run("b", () => 1)',
      'ctx.run("c", () => 1)',
      "ctx.date.now()",
      'ctx.promise("p").get()',
      "ctx.sleep(1)",
      'ctx.run("d", () => each)',
      'saga.run("e", () => 1, { undo: () => 1 })',
    ].map((text) => [AWAIT, text] as const),
  },
  {
    title: "nothing where somebody waits, or nothing is to be waited for",
    code: inHandler(`
      await ctx.run("a", () => 1);
      const later = ctx.run("b", () => 1);
      const both = [ctx.sleep(1), ctx.serviceClient(input).greet("x")];
      await RestatePromise.all([later, ...both, ctx.sleep(1)]);
      const pick = () => ctx.sleep(1);
      const { length } = await pick();
      ctx.serviceSendClient(input).greet("x");
      ctx.set("k", 1); ctx.resolveAwakeable("id"); ctx.console.log(length);
      const awaited = await (ctx.run("c", () => 1) as Promise<number>);
      input.run("x"); input.promise("p").get();
      await input(ctx.sleep(1).orTimeout(2));
      return input ? ctx.sleep(awaited) : ctx.sleep(2);`),
    found: [],
  },
];

export interface Suggested {
  readonly code: string;
  readonly fixed: string;
}

/** What the editor offers instead. */
export const SUGGESTIONS: readonly Suggested[] = [
  { code: "return Math.random();", fixed: "return ctx.rand.random();" },
  { code: "return crypto.randomUUID();", fixed: "return ctx.rand.uuidv4();" },
  { code: "return Date.now() + 1;", fixed: "return (await ctx.date.now()) + 1;" },
  { code: "return await fetch(input);", fixed: "return await ctx.fetch(input);" },
].map(({ code, fixed }) => ({ code: inHandler(code), fixed: inHandler(fixed) }));
