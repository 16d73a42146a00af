/** What our own code wrote as JSON: its type is known without looking. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- it is how the type is said
export function parseJson<T>(text: string): T {
  return JSON.parse(text);
}
