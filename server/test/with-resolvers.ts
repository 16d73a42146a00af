/** `Promise.withResolvers`, which the official SDK calls, came with Node 22; we support 20. */
export function addWithResolvers(): void {
  if ("withResolvers" in Promise) return;
  Object.assign(Promise, {
    withResolvers: () => {
      let resolve: (value: unknown) => void = () => {};
      let reject: (reason?: unknown) => void = () => {};
      const promise = new Promise((a, b) => {
        resolve = a;
        reject = b;
      });
      return { promise, resolve, reject };
    },
  });
}
