import { MemoryStore } from "./memory-store.ts";
import { storeSuite } from "./store.suite.ts";

storeSuite("the store over Maps", () => {
  const store = new MemoryStore();
  return { store, cleanUp: () => store.close() };
});
