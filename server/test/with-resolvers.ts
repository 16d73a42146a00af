/** `Promise.withResolvers`, which the official SDK calls, came with Node 22; we support 20. */
function withResolvers<T>(): object {
  let resolve: (value: T | PromiseLike<T>) => void = () => {};
  let reject: (reason?: unknown) => void = () => {};
  const promise = new Promise<T>((a, b) => {
    resolve = a;
    reject = b;
  });
  return { promise, resolve, reject };
}

if (!("withResolvers" in Promise)) Object.assign(Promise, { withResolvers });
