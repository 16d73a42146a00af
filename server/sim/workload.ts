/** The handlers of the simulation, written on our SDK as a user would: a checkout, a flaky step, a fan-out, a race, a saga of sends. */
import { type Context, RestatePromise, service, TerminalError } from "@holdfast/sdk";
import type { Ledger } from "./ledger.ts";
import type { World } from "./world.ts";

/** Awakeables that somebody outside is to resolve, by the name of their order. */
export type Inbox = Map<string, string>;

export function workload(world: World, ledger: Ledger, inbox: Inbox) {
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

/** What a caller must get in the end. */
export function expectedOf(handler: string, name: string): string {
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
    default:
      return "";
  }
}

export const HANDLERS = ["checkout", "flaky", "fanOut", "race", "refuses"] as const;
