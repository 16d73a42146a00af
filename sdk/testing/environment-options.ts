/** How an environment is started. */
import type { EndpointOptions } from "../endpoint/served-services.ts";

/** What an environment serves, and how. Everything an endpoint is given can be given here too, but for keys of servers. */
export interface TestEnvironmentOptions extends Omit<EndpointOptions, "identityKeys"> {
  /**
   * Every await of a handler ends its attempt, and the next one replays the journal up to there: a handler that would do something
   * else in another attempt fails. Default false.
   */
  readonly alwaysReplay?: boolean;
  /**
   * `auto`: while a request of the test waits for its answer and nothing else happens, time moves on to what is due next. `manual`:
   * it moves with `clock.advance` alone. Default `auto`.
   */
  readonly time?: "auto" | "manual";
  /** When the clock of the environment begins. Default: the first moment of 2026, UTC. */
  readonly startAt?: Date;
  /**
   * A request that waits while nothing will ever happen is rejected with `StuckError` after so long. Milliseconds of real time;
   * `Infinity`: never. Default 2000.
   */
  readonly stuckAfterMs?: number;
}
