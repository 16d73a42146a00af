import * as restate from "@holdfast/sdk";
import * as clients from "@holdfast/sdk/client";
import {
  type Context,
  handlers,
  RestatePromise,
  rpc,
  serde,
  service,
  TerminalError,
} from "@holdfast/sdk";
// What follows is the same in the other file: a service that uses what the two SDKs have in common.

interface Order {
  id: string;
  amountCents: number;
}

export const payments = service({
  name: "Payments",
  handlers: {
    charge: async (ctx: Context, order: Order): Promise<string> => {
      const attempt = await ctx.run("charge", async () => `${order.id}-${order.amountCents}`, {
        maxRetryAttempts: 5,
        initialRetryInterval: { milliseconds: 100 },
        maxRetryInterval: { seconds: 5 },
        retryIntervalFactor: 2,
        maxRetryDuration: 60_000,
      });
      if (order.amountCents === 0) {
        throw new TerminalError("nothing to pay", { errorCode: 400, metadata: { id: order.id } });
      }
      return attempt;
    },
    ping: async (_ctx: restate.Context): Promise<void> => {},
    untyped: async (_ctx: Context, anything) => {
      return { seen: String(anything) };
    },
    upload: handlers.handler(
      {
        input: serde.binary,
        accept: "application/*",
        description: "takes bytes",
        idempotencyRetention: { days: 1 },
        retryPolicy: { maxAttempts: 3, onMaxAttempts: "kill" },
      },
      async (_ctx: Context, bytes: Uint8Array): Promise<number> => bytes.length,
    ),
    nothing: handlers.handler({ ingressPrivate: true }, async (_ctx: Context) => "x"),
  },
  description: "takes money",
  metadata: { team: "shop" },
  options: {
    journalRetention: { days: 2 },
    inactivityTimeout: 60_000,
    abortTimeout: { minutes: 5 },
    asTerminalError: (error) =>
      error instanceof RangeError ? new TerminalError(error.message) : undefined,
  },
});

export type Payments = typeof payments;

export const shop = restate.service({
  name: "Shop",
  handlers: {
    place: async (ctx: restate.Context, order: Order) => {
      const name: string = await ctx.serviceClient(payments).charge(order);
      const again: string = await ctx
        .serviceClient<Payments>({ name: "Payments" })
        .charge(order, rpc.opts({ idempotencyKey: order.id, headers: { a: "b" } }));
      await ctx.serviceClient(payments).ping();
      const size: number = await ctx
        .serviceClient(payments)
        .upload(Uint8Array.of(1), rpc.opts({ input: serde.binary }));
      const handle: restate.InvocationHandle = ctx
        .serviceSendClient(payments)
        .charge(order, rpc.sendOpts({ delay: { hours: 1 } }));
      const id: restate.InvocationId = await handle.invocationId;
      const raw: Uint8Array = await ctx.genericCall({
        service: "Payments",
        method: "upload",
        parameter: Uint8Array.of(1),
      });
      ctx.genericSend({ service: "Payments", method: "ping", parameter: new Uint8Array(0) });
      return { name, again, size, id, raw: raw.length };
    },

    wait: async (ctx: Context) => {
      const { id, promise } = ctx.awakeable<{ reference: string }>();
      ctx.resolveAwakeable(id, { reference: "x" });
      ctx.rejectAwakeable(id, new TerminalError("no"));
      try {
        const { reference } = await promise.orTimeout({ days: 7 });
        return reference;
      } catch (error) {
        if (error instanceof restate.TimeoutError) return "late";
        if (error instanceof restate.CancelledError) throw error;
        throw restate.RetryableError.from(error, { retryAfter: { seconds: 1 } });
      }
    },

    combine: async (ctx: Context) => {
      const timer: restate.RestatePromise<void> = ctx.sleep({ seconds: 1 }, "timer");
      const step = ctx.run(() => 1);
      const [one, two] = await RestatePromise.all([step, ctx.run("two", () => "2")]);
      const first = await RestatePromise.race([step.map(() => "step"), timer.map(() => "timer")]);
      const any: number | string = await RestatePromise.any([step, ctx.run(() => "x")]);
      const settled = await RestatePromise.allSettled([step]);
      const call = ctx.serviceClient(payments).charge({ id: "1", amountCents: 1 });
      ctx.cancel(await call.invocationId);
      ctx.invocation(await call.invocationId).cancel();
      return `${one + 1} ${two.length} ${first} ${any} ${settled[0].status}`;
    },

    context: async (ctx: Context, _input: string) => {
      const { id, headers, body, attemptCompletedSignal, target } = ctx.request();
      const now: number = await ctx.date.now();
      const random: number = ctx.rand.random();
      const uuid: string = ctx.rand.uuidv4();
      ctx.console.log("hello", id, uuid);
      attemptCompletedSignal.throwIfAborted();
      return [now, random, headers.get("a"), body.length, target.service, await ctx.date.toJSON()];
    },
  },
});

interface CounterState {
  sum: number;
  label: string;
}

export const counter = restate.object({
  name: "Counter",
  handlers: {
    add: async (ctx: restate.ObjectContext<CounterState>, amount: number): Promise<number> => {
      const before: number | null = await ctx.get("sum");
      ctx.set("sum", (before ?? 0) + amount);
      ctx.set("label", ctx.key);
      await ctx.sleep({ seconds: 1 }, "timer");
      const after: number | null = await ctx.get("sum");
      ctx.clear("label");
      const label: string | null = await ctx.get("label");
      return (after ?? 0) + (label?.length ?? 0);
    },
    list: async (ctx: restate.ObjectContext) => {
      const keys: string[] = await ctx.stateKeys();
      ctx.clearAll();
      const sum = await ctx.get<number>("sum");
      return { keys, sum, left: await ctx.stateKeys() };
    },
    read: handlers.object.shared(
      { description: "only reads", enableLazyState: true },
      async (ctx: restate.ObjectSharedContext): Promise<number | null> => ctx.get<number>("sum"),
    ),
    peek: handlers.object.shared(async (ctx: restate.ObjectSharedContext, name: string) =>
      ctx.get<number>(name),
    ),
    reset: handlers.object.exclusive(
      { ingressPrivate: true },
      async (ctx: restate.ObjectContext): Promise<void> => ctx.clearAll(),
    ),
  },
  options: { enableLazyState: false, journalRetention: { hours: 1 } },
});

export type Counter = typeof counter;

export const signup = restate.workflow({
  name: "Signup",
  handlers: {
    run: async (ctx: restate.WorkflowContext, email: string): Promise<string> => {
      ctx.set("email", email);
      const early: string | undefined = await ctx.promise<string>("code").peek();
      const code: string = await ctx.promise<string>("code");
      const raced = await RestatePromise.race([
        ctx.promise<string>("code").get(),
        ctx.sleep({ seconds: 1 }).map(() => "late"),
      ]);
      return `${early} ${code} ${raced} ${ctx.key}`;
    },
    confirm: async (ctx: restate.WorkflowSharedContext, code: string): Promise<void> => {
      await ctx.promise<string>("code").resolve(code);
    },
    refuse: handlers.workflow.shared({}, async (ctx: restate.WorkflowSharedContext) => {
      void ctx.promise("none").resolve();
      await ctx.promise("code").reject("no");
      return ctx.get<string>("email");
    }),
  },
  options: { workflowRetention: { days: 3 }, enableLazyState: true },
});

export type Signup = typeof signup;

export const desk = restate.service({
  name: "Desk",
  handlers: {
    count: async (ctx: Context, key: string) => {
      const sum: number = await ctx.objectClient(counter, key).add(1);
      const read: number | null = await ctx.objectClient<Counter>({ name: "Counter" }, key).read();
      ctx.objectSendClient(counter, key).add(2, rpc.sendOpts({ delay: 5, idempotencyKey: "k" }));
      return [sum, read];
    },
    sign: async (ctx: Context, key: string) => {
      ctx.workflowSendClient(signup, key).run("a@example.org");
      await ctx.workflowClient<Signup>({ name: "Signup" }, key).confirm("123");
      const id = restate.InvocationIdParser.fromString("inv_1jKWrCo9TdeA1XzIHSPAMVM9ySPdRCFvyB");
      ctx.invocation(id).signal<number>("go").resolve(1);
      ctx.invocation(id).signal("go").reject("no");
      const attached: string = await ctx.attach<string>(id);
      return attached;
    },
    hear: async (ctx: Context) => {
      const first = await ctx.signal<number>("go");
      const both = await RestatePromise.all([ctx.signal<number>("a"), ctx.signal<number>("b")]);
      return [first, ...both];
    },
    settle: async (ctx: Context) => {
      const [one, two, three] = [ctx.sleep(1, "timer"), ctx.sleep(2), ctx.sleep(3)];
      const { promise } = ctx.awakeable<number>();
      const four = RestatePromise.any([promise, ctx.sleep(4).map(() => 4)]);
      const all = RestatePromise.all([one, two, RestatePromise.race([three, four])]);
      await RestatePromise.allSettled([all, ctx.awakeable().promise.orTimeout(9)]);
    },
    clean: async (ctx: Context) => {
      try {
        await ctx.sleep(1);
      } catch (error) {
        if (!(error instanceof restate.CancelledError)) throw error;
        await ctx.run("clean", () => "done");
      }
      return "cleaned";
    },
  },
});

export const strict = restate.service({
  name: "Strict",
  handlers: { pay: async (ctx: Context) => ctx.run("pay", () => 1) },
  options: { onJournalMismatchErrors: "fail" },
});

export const pausing = restate.service({
  name: "Pausing",
  handlers: {
    pay: async (ctx: Context) =>
      ctx.run("pay", () => {
        throw new restate.PauseError("ask someone");
      }),
  },
});

export const explicit = restate.service({
  name: "Explicit",
  handlers: {
    wait: async (ctx: Context) => {
      const internal = ctx as restate.internal.ContextInternal;
      const call = ctx.serviceClient(payments).charge({ id: "1", amountCents: 5 });
      const first = await RestatePromise.race([
        call.map(() => "called"),
        internal.cancellation().map(() => "cancelled"),
      ]);
      const ids = await internal.cancelPreviousCalls();
      const second = await RestatePromise.race([
        ctx.sleep({ days: 1 }).map(() => "slept"),
        internal.cancellation().map(() => "cancelled again"),
      ]);
      return [first, ids, second];
    },
  },
  options: { explicitCancellation: true },
});

const renaming: restate.HooksProvider = ({ request }) => ({
  interceptor: {
    handler: async (next) => {
      try {
        await next();
      } catch (error) {
        if (restate.internal.isSuspendedError(error)) throw error;
        throw new TerminalError(`${request.target.handler}: ${String(error)}`, { errorCode: 418 });
      }
    },
    run: async (name, next) => {
      await next();
      if (name === "refused") throw new TerminalError("refused");
    },
  },
});

export const hooked = restate.service({
  name: "Hooked",
  handlers: {
    fail: async (ctx: Context) => ctx.run("refused", () => 1),
    succeed: async (ctx: Context) => ctx.run("fine", () => 1),
  },
  options: { hooks: [renaming] },
});

const amountSchema = {
  "~standard": {
    version: 1 as const,
    vendor: "test",
    validate: (given: unknown) =>
      typeof given === "number" ? { value: given } : { issues: [{ message: "no number" }] },
    types: undefined as { input: number; output: number } | undefined,
    jsonSchema: { input: () => ({ type: "number" }), output: () => ({ type: "number" }) },
  },
};

export const bank = restate.iface.object(
  "Bank",
  {
    deposit: restate.iface.schemas({ input: amountSchema, output: amountSchema }),
    owner: restate.iface.shared.json<void, string>({ description: "Whose it is" }),
    bytes: restate.iface.serdes({ input: serde.binary, output: serde.binary }),
  },
  { description: "Accounts", metadata: { team: "x" } },
);

export const bankObject = restate.implement(bank, {
  handlers: {
    deposit: async (ctx, amount: number) => {
      const sum = ((await ctx.get<number>("sum")) ?? 0) + amount;
      ctx.set("sum", sum);
      return sum;
    },
    owner: async (ctx) => ctx.key,
    bytes: async (_ctx, bytes: Uint8Array) => bytes.slice(1),
  },
  options: { enableLazyState: true, handlers: { owner: { ingressPrivate: true } } },
});

export const teller = restate.iface.service("Teller", {
  visit: restate.iface.json<string, number>(),
});

export const tellerService = restate.implement(teller, {
  handlers: {
    visit: async (ctx, account) => {
      const sum: number = await ctx.client(bank, account).deposit(5);
      ctx.sendClient(bank, account).owner(rpc.sendOpts({ delay: 10 }));
      return sum;
    },
  },
});

export const tenant = restate.service({
  name: "Tenant",
  handlers: {
    order: async (ctx: Context) => {
      const scoped: restate.ScopedContext = ctx.scope("tenant-1");
      const charged = await scoped
        .serviceClient(payments)
        .charge({ id: "1", amountCents: 5 }, rpc.opts({ limitKey: "charges/fast" }));
      scoped.objectSendClient(counter, "k").add(1);
      ctx.genericSend({
        service: "X",
        method: "y",
        parameter: new Uint8Array(0),
        scope: "tenant-2",
      });
      return [charged, ctx.request().scope, ctx.request().limitKey];
    },
  },
});

export async function use(url: string): Promise<unknown[]> {
  const ingress: clients.Ingress = clients.connect({ url, headers: { authorization: "Bearer x" } });
  const charged: string = await ingress
    .serviceClient(payments)
    .charge({ id: "1", amountCents: 1 }, clients.rpc.opts({ idempotencyKey: "1", timeout: 1000 }));
  await ingress.serviceClient<Payments>({ name: "Payments" }).ping();
  const sent = await ingress
    .serviceSendClient(payments)
    .charge({ id: "1", amountCents: 1 }, clients.rpc.sendOpts({ delay: { seconds: 5 } }));
  const result: string = await ingress.result(sent);
  await ingress.resolveAwakeable("sign_1x", { reference: "x" });
  await ingress.rejectAwakeable("sign_1x", "no");
  try {
    await ingress.call({ service: "Payments", handler: "ping", parameter: undefined });
  } catch (error) {
    if (error instanceof clients.HttpCallError) return [error.status, error.responseText];
  }
  const added: number = await ingress.objectClient(counter, "k").add(1);
  const read: number | null = await ingress.objectClient<Counter>({ name: "Counter" }, "k").read();
  await ingress.objectSendClient(counter, "k").add(1, clients.rpc.sendOpts({ delay: 5 }));
  const workflow = ingress.workflowClient<Signup>({ name: "Signup" }, "k");
  const submitted: clients.WorkflowSubmission<string> = await workflow.workflowSubmit("a@b.c");
  await workflow.confirm("123");
  const attached: string = await workflow.workflowAttach();
  const output: clients.Output<string> = await workflow.workflowOutput();
  const ended: string = await ingress.result(submitted);
  return [charged, result, sent.status, added, read, attached, output.ready, ended];
}

export const listen = (): Promise<number> =>
  restate.endpoint().bind(payments).bind(shop).defaultServiceOptions({ abortTimeout: 1 }).listen(0);
export const serve = (): Promise<number> => restate.serve({ services: [payments, shop], port: 0 });
export const handler = restate.createEndpointHandler({
  services: [
    payments,
    shop,
    counter,
    signup,
    desk,
    strict,
    pausing,
    explicit,
    hooked,
    bankObject,
    tellerService,
    tenant,
  ],
});
