/** Finds handlers whose steps fail where a test says so. */
import type { ServedHandler } from "../context/served-handler.ts";
import type { ServedServices } from "../endpoint/served-services.ts";
import type { Faults } from "./faults.ts";

export function findWithFaults(
  services: ServedServices,
  faults: Faults,
): (service: string, handler: string) => ServedHandler | undefined {
  return (service, handler) => {
    const served = services.find(service, handler);
    return served && { ...served, hooks: [...served.hooks, () => ({ interceptor: { run } })] };

    /** Innermost, so that hooks of the service see what they would see of the step itself. */
    async function run(name: string, next: () => Promise<void>): Promise<void> {
      const failure = faults.failureOf({ service, handler, name });
      if (failure !== undefined) throw failure;
      await next();
    }
  };
}
