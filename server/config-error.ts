/** The settings contradict each other or promise what cannot be kept. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
}
