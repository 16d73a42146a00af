/** Typed clients: objects that have a function for every handler name. */
import { type Any, trust } from "../define/any.ts";
import type { GenericCall, GenericSend } from "../define/context.ts";
import { Opts, SendOpts } from "../define/rpc.ts";
import type { Serde } from "../define/serde.ts";

interface Target {
  readonly service: string;
  /** Of an object or a workflow. */
  readonly key: string | undefined;
}

/** The serdes of a handler, for calls that do not say. */
export type SerdesOf = (handler: string) => {
  readonly input: Serde<Any>;
  readonly output: Serde<Any>;
};

/** @param call makes the call that the options of the client describe */
export function callClient(
  { service, key }: Target,
  serdesOf: SerdesOf,
  call: (call: GenericCall<unknown, unknown>) => unknown,
): object {
  const target = { service, ...(key !== undefined && { key }) };
  return proxy((method, [first, second]) => {
    const [parameter, given] = first instanceof Opts ? [undefined, first] : [first, second];
    const opts = given instanceof Opts ? trust<Opts<unknown, unknown>>(given).getOpts() : {};
    const described = serdesOf(method);
    const { input = described.input, output = described.output, ...rest } = opts;
    const serdes = { inputSerde: input, outputSerde: output };
    return call({ ...target, method, parameter, ...serdes, ...rest });
  });
}

/** @param send makes the one-way call that the options of the client describe */
export function sendClient(
  { service, key }: Target,
  serdesOf: SerdesOf,
  send: (call: GenericSend<unknown>) => unknown,
): object {
  const target = { service, ...(key !== undefined && { key }) };
  return proxy((method, [first, second]) => {
    const [parameter, given] = first instanceof SendOpts ? [undefined, first] : [first, second];
    const opts = given instanceof SendOpts ? trust<SendOpts<unknown>>(given).getOpts() : {};
    const { input = serdesOf(method).input, ...rest } = opts;
    return send({ ...target, method, parameter, inputSerde: input, ...rest });
  });
}

function proxy(call: (handler: string, args: readonly unknown[]) => unknown): object {
  return new Proxy(
    {},
    {
      get(_target, handler) {
        // A client that is awaited by mistake must not look like a promise.
        if (typeof handler !== "string" || handler === "then") return undefined;
        return (...args: unknown[]) => call(handler, args);
      },
    },
  );
}
