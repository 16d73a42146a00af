// The handlers under load, on the SDK named by BENCH_SDK: "restate" (the official one) or "holdfast". HTTP/2, loopback only.
// Prints {"port":N} when it listens.
Promise.withResolvers ??= function withResolvers() {
  let resolve;
  let reject;
  const promise = new this((a, b) => {
    resolve = a;
    reject = b;
  });
  return { promise, resolve, reject };
};
const http2 = await import("node:http2");
const sdk =
  process.env.BENCH_SDK === "holdfast"
    ? await import("@holdfast/sdk")
    : await import("@restatedev/restate-sdk");

const bench = sdk.service({
  name: process.env.BENCH_SERVICE ?? "Bench",
  handlers: {
    echo: async (_ctx, input) => input,
    steps: async (ctx, input) => {
      let sum = 0;
      for (let step = 0; step < 5; step += 1) sum += await ctx.run(`step-${step}`, () => step);
      return { input, sum };
    },
    child: async (ctx, input) => ctx.serviceClient({ name: "Bench" }).echo(input),
  },
});

const server = http2.createServer(sdk.createEndpointHandler({ services: [bench] }));
server.listen(0, "127.0.0.1", () => {
  process.stdout.write(`${JSON.stringify({ port: server.address().port })}\n`);
});
