/**
 * The handlers of the simulation, written on our SDK as a user would: a checkout, a flaky step, a fan-out, a race, an object that
 * counts, a workflow that waits for an approval.
 */
import {
  type Context,
  object,
  type ObjectContext,
  RestatePromise,
  service,
  TerminalError,
  workflow,
  type WorkflowContext,
  type WorkflowSharedContext,
} from "@holdfast/sdk";
import type { Target } from "../machine/invocation.ts";
import type { Ledger } from "./ledger.ts";
import type { World } from "./world.ts";

/** Awakeables that somebody outside is to resolve, by the name of their order. */
export type Inbox = Map<string, string>;

export function workload(world: World, ledger: Ledger, inbox: Inbox) {
  return [simService(world, ledger, inbox), tally(ledger), trip(ledger)];
}

/** Counts: what it answers is how many additions there were. */
function tally(ledger: Ledger) {
  return object({
    name: "Tally",
    handlers: {
      add: async (ctx: ObjectContext, name: string) => {
        const before = (await ctx.get<number>("count")) ?? 0;
        await ctx.run(`${name}/add`, () => ledger.execute(`${name}/add`));
        ctx.set("count", before + 1);
        await ctx.sleep(5);
        return String(before + 1);
      },
    },
  });
}

/** Waits for an approval that comes from another handler, before or after it began. */
function trip(ledger: Ledger) {
  return workflow({
    name: "Trip",
    handlers: {
      run: async (ctx: WorkflowContext, name: string) => {
        ctx.set("stage", "asked");
        const by = await ctx.promise<string>("approval").get();
        await ctx.run(`${ctx.key}/book`, () => ledger.execute(`${ctx.key}/book`));
        return `${name.length > 0 ? ctx.key : "?"} approved by ${by}`;
      },
      watch: async (ctx: WorkflowSharedContext, name: string) =>
        `${name} saw ${await ctx.promise<string>("landing").get()}`,
      land: async (ctx: WorkflowSharedContext) => {
        await ctx.promise<string>("landing").resolve("it land");
      },
      approve: async (ctx: WorkflowSharedContext, name: string) => {
        try {
          await ctx.promise<string>("approval").resolve("boss");
        } catch (error) {
          if (!(error instanceof TerminalError)) throw error;
        }
        return `${name} done`;
      },
    },
  });
}

function simService(world: World, ledger: Ledger, inbox: Inbox) {
  const step = (ctx: Context, name: string) => ctx.run(name, () => ledger.execute(name));

  return service({
    name: "Sim",
    handlers: {
      checkout: async (ctx: Context, order: string) => {
        await step(ctx, `${order}/reserve`);
        const payment = ctx.awakeable<string>();
        await ctx.run(`${order}/ask`, () => {
          inbox.set(order, payment.id);
          return ledger.execute(`${order}/ask`);
        });
        const reference = await payment.promise;
        await ctx.sleep(40);
        const parcel = await ctx.genericCall<string, string>({
          service: "Sim",
          method: "dispatch",
          parameter: order,
          inputSerde: JSON_SERDE,
          outputSerde: JSON_SERDE,
        });
        return `${order} ${reference} ${parcel}`;
      },

      dispatch: async (ctx: Context, order: string) => {
        await step(ctx, `${order}/dispatch`);
        await ctx.sleep(25);
        return `parcel of ${order}`;
      },

      flaky: async (ctx: Context, name: string) => {
        const tries = await ctx.run(
          `${name}/flaky`,
          () => {
            const number = ledger.execute(`${name}/flaky`);
            if (world.chance(0.5)) throw new Error("not this time");
            return number;
          },
          { initialRetryInterval: 5, retryIntervalFactor: 1 },
        );
        return tries > 0 ? `${name} works` : "";
      },

      fanOut: async (ctx: Context, name: string) => {
        const calls = [0, 1, 2, 3].map((index) =>
          ctx.genericCall<string, string>({
            service: "Sim",
            method: "dispatch",
            parameter: `${name}.${index}`,
            inputSerde: JSON_SERDE,
            outputSerde: JSON_SERDE,
          }),
        );
        return (await RestatePromise.all(calls)).join(",");
      },

      race: async (ctx: Context, name: string) => {
        const winner = await RestatePromise.race([
          ctx.sleep(60).map(() => "slow"),
          ctx.run(`${name}/race`, () => ledger.execute(`${name}/race`)).map(() => "step"),
        ]);
        await step(ctx, `${name}/after`);
        return `${name} ${winner === "slow" || winner === "step" ? "won" : "?"}`;
      },

      joins: async (ctx: Context, name: string) => {
        const parcel = ctx.genericSend<string>({
          service: "Sim",
          method: "dispatch",
          parameter: name,
          inputSerde: JSON_SERDE,
          delay: 20,
        });
        return await ctx.attach<string>(await parcel.invocationId, JSON_SERDE);
      },

      nap: async (ctx: Context, name: string) => {
        await ctx.sleep(30);
        return `${name} rested`;
      },

      signalled: async (ctx: Context, name: string) => {
        await step(ctx, `${name}/listen`);
        return `${name} ${await ctx.signal<string>("go")}`;
      },

      refuses: async (ctx: Context, name: string) => {
        await step(ctx, `${name}/before`);
        throw new TerminalError(`${name} refused`, { errorCode: 409 });
      },
    },
  });
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

const JSON_SERDE = {
  contentType: "application/json",
  serialize: (value: string) => encoder.encode(JSON.stringify(value)),
  deserialize: (bytes: Uint8Array) => JSON.parse(decoder.decode(bytes)) as string,
};

/** What a caller must get in the end; null where it depends on the order in which others came. */
export function expectedOf({ handler, key }: Target, name: string): string | null {
  switch (handler) {
    case "checkout":
      return `${name} paid-${name} parcel of ${name}`;
    case "flaky":
      return `${name} works`;
    case "fanOut":
      return [0, 1, 2, 3].map((index) => `parcel of ${name}.${index}`).join(",");
    case "race":
      return `${name} won`;
    case "refuses":
      return `409 ${name} refused`;
    case "joins":
      return `parcel of ${name}`;
    case "nap":
      return `${name} rested`;
    case "signalled":
      return `${name} gone`;
    case "run":
      return `${key} approved by boss`;
    case "watch":
      return `${name} saw it land`;
    case "approve":
      return `${name} done`;
    default:
      return null;
  }
}

/** Of the plain service. */
export const HANDLERS = [
  "checkout",
  "flaky",
  "fanOut",
  "race",
  "refuses",
  "joins",
  "nap",
  "signalled",
] as const;

/** What a client calls: of keyed ones there are few keys, so that they meet. */
export const ROLES = [
  { service: "Sim", handler: "checkout", keys: 0 },
  { service: "Sim", handler: "flaky", keys: 0 },
  { service: "Sim", handler: "fanOut", keys: 0 },
  { service: "Sim", handler: "race", keys: 0 },
  { service: "Sim", handler: "refuses", keys: 0 },
  { service: "Sim", handler: "joins", keys: 0 },
  { service: "Sim", handler: "nap", keys: 0 },
  { service: "Sim", handler: "signalled", keys: 0 },
  { service: "Tally", handler: "add", keys: 2 },
  { service: "Tally", handler: "add", keys: 2 },
  { service: "Trip", handler: "run", keys: 3 },
  { service: "Trip", handler: "watch", keys: 3 },
  { service: "Trip", handler: "approve", keys: 3 },
] as const;

export type Role = (typeof ROLES)[number];
