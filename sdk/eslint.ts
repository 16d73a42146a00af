/**
 * `@holdfast/sdk/eslint`: rules that find in the editor what the guard of determinism finds in a run. For ESLint 9 and later
 * (flat config), and for oxlint (`jsPlugins`). They know handlers by the types of their contexts, and by being given to
 * `service`, `object`, `workflow`, `implement` or `handlers`.
 */
import { awaitSteps } from "./lint/await-steps.ts";
import { noNestedContext } from "./lint/no-nested-context.ts";
import { noNondeterminism } from "./lint/no-nondeterminism.ts";
import type { LintRule } from "./lint/rule.ts";

export type { LintRule } from "./lint/rule.ts";

/** A plugin of ESLint's flat config. */
export interface LintPlugin {
  readonly meta: { readonly name: string; readonly version: string };
  readonly rules: {
    /** Outside of steps, a handler takes no time, chance, timer or answer from the runtime. */
    "no-nondeterminism": LintRule;
    /** A step does not use the context. */
    "no-nested-context": LintRule;
    /** What the context promises is awaited, returned or combined. */
    "await-steps": LintRule;
  };
  readonly configs: {
    /** All rules, as errors. */
    readonly recommended: {
      readonly name: string;
      plugins: Record<string, Omit<LintPlugin, "configs">>;
      rules: Record<string, "error">;
    };
  };
}

const NAMESPACE = "holdfast";

const meta = { name: "@holdfast/sdk/eslint", version: "0.1.0" };

const rules: LintPlugin["rules"] = {
  "no-nondeterminism": noNondeterminism,
  "no-nested-context": noNestedContext,
  "await-steps": awaitSteps,
};

/**
 * @example
 * // eslint.config.js
 * import holdfast from "@holdfast/sdk/eslint";
 * export default [holdfast.configs.recommended];
 */
const plugin: LintPlugin = {
  meta,
  rules,
  configs: {
    recommended: {
      name: `${NAMESPACE}/recommended`,
      plugins: { [NAMESPACE]: { meta, rules } },
      rules: Object.fromEntries(
        Object.keys(rules).map((name) => [`${NAMESPACE}/${name}`, "error"] as const),
      ),
    },
  },
};

export default plugin;
